/// <reference lib="dom" />
import type { BrowserContext, Page } from 'playwright-core';

/** What one load of Today took. */
export interface FirstView {
  /** Compressed script that was asked for before the figures were shown, in thousands of bytes. */
  readonly scriptKb: number;
  /** From the navigation to the figures, and until a key press was answered after them, both in milliseconds. */
  readonly figuresMs: number;
  readonly interactiveMs: number;
}

interface Marks {
  figures?: number;
  answered?: number;
}

declare global {
  interface Window {
    benchMarks: Marks;
  }
}

/** Loads Today as somebody who has signed in sees it with an empty cache. */
export async function loadToday(context: BrowserContext): Promise<FirstView> {
  const page = await context.newPage();
  await page.addInitScript(watchFirstView);
  await page.goto('/console/', { waitUntil: 'commit' });
  await page.waitForFunction(() => window.benchMarks.figures !== undefined);
  await page.keyboard.press('?');
  await page.waitForFunction(() => window.benchMarks.answered !== undefined);
  const read = await page.evaluate(() => {
    const { figures = 0, answered = 0 } = window.benchMarks;
    const scripts = (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).filter(
      ({ name, startTime }) => new URL(name).pathname.endsWith('.js') && startTime < figures,
    );
    return { figures, answered, bytes: scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) };
  });
  await page.close();
  return { scriptKb: read.bytes / 1_000, figuresMs: read.figures, interactiveMs: read.answered };
}

/** In the page: notes when all figures of Today are shown, and when the dialog that `?` opens is. */
function watchFirstView(): void {
  const marks: Marks = {};
  window.benchMarks = marks;
  const look = (): void => {
    // Money, the books' health and the API's.
    if (document.querySelectorAll('main .stats').length >= 3) marks.figures ??= performance.now();
    if (document.querySelector('[role=dialog]') !== null) marks.answered ??= performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}

/** How a table scrolled. */
export interface Scrolled {
  readonly rows: number;
  readonly p95FrameMs: number;
  readonly framesPerSecond: number;
  /** CPU of the page's main thread for a frame. */
  readonly workMs: number;
}

/** Reads a list to so many rows by End, and scrolls it by the wheel while the frames are counted. */
export async function scrollTable(
  context: BrowserContext,
  { path, name, rows }: { readonly path: string; readonly name: string; readonly rows: number },
): Promise<Scrolled> {
  const page = await context.newPage();
  await page.goto(path);
  const table = page.getByRole('grid', { name });
  await table.focus();
  const loaded = await readUpTo(page, rows);
  await table.press('Home');
  const box = await table.boundingBox();
  if (box === null) throw new Error('the table is not shown');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const chrome = await context.newCDPSession(page);
  // Time on the CPU, whatever else the machine does meanwhile.
  await chrome.send('Performance.enable', { timeDomain: 'threadTicks' });
  const work = async (): Promise<number> =>
    (await chrome.send('Performance.getMetrics')).metrics.find((metric) => metric.name === 'TaskDuration')?.value ?? 0;
  const before = await work();
  const frames = page.evaluate(countFrames, scrollMs);
  const until = performance.now() + scrollMs;
  while (performance.now() < until) await page.mouse.wheel(0, wheelPixels);
  const took = (await frames).toSorted((a, b) => a - b);
  const worked = (await work()) - before;
  await page.close();
  return {
    rows: loaded,
    p95FrameMs: took[Math.ceil(took.length * 0.95) - 1] ?? 0,
    framesPerSecond: took.length / (scrollMs / 1_000),
    workMs: (worked * 1_000) / took.length,
  };
}

const scrollMs = 5_000;
const wheelPixels = 400;

async function readUpTo(page: Page, rows: number): Promise<number> {
  const count = page.locator('.table-count');
  for (;;) {
    const text = await count.innerText();
    const read = Number.parseInt(text, 10);
    if (read >= rows || !text.includes('+')) return read;
    await page.keyboard.press('End');
    await page.waitForFunction((old) => document.querySelector('.table-count')?.textContent !== old, text);
  }
}

/** In the page: how far apart its frames are. */
async function countFrames(ms: number): Promise<number[]> {
  const times: number[] = [];
  const startedAt = performance.now();
  await new Promise<void>((resolve) => {
    const next = (at: number): void => {
      times.push(at);
      if (at - startedAt < ms) requestAnimationFrame(next);
      else resolve();
    };
    requestAnimationFrame(next);
  });
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
}
