import { loadavg } from 'node:os';
import { openBrowser } from '@keyfare/fixtures/browser';
import type { Browser, BrowserContext } from 'playwright-core';
import { residentMb } from '../billing/intake.js';
import { type BooksSize } from '../billing/large-books.js';
import { type Call, p95 } from '../billing/reports.js';
import type { Report } from '../report.js';
import { start } from '../started.js';
import { type House, startHouse } from './house.js';
import { pageRoutes } from './routes.js';
import { type FirstView, loadToday, scrollTable } from './view.js';
import { fillYear } from './year.js';

const year: BooksSize = { calls: 1_000_000, accounts: 10_000, months: 12, cases: 5_000 };
const tenth: BooksSize = { calls: 100_000, accounts: 1_000, months: 12, cases: 500 };
const loads = 7;
const scrolledRows = 100_000;
const bars = { firstViewKb: 200, interactiveMs: 1_000, apiMs: 300, frameMs: 1_000 / 60 };

/** The console over the books of a year, in a Chromium of its own: with `full` a million calls, else a tenth. */
export async function benchConsole({ full }: { readonly full: boolean }): Promise<Report> {
  const size = full ? year : tenth;
  const house = await startHouse((sql) => fillYear(sql, size));
  const [browser, closeBrowser] = await start(openBrowser, (opened) => opened.close());
  try {
    const state = await signedIn(browser, house);
    const views = await firstViews(browser, house, state);
    const api = await apiAnswers(house, state);
    const context = await browser.newContext({ baseURL: house.billing, storageState: state });
    // A month of the large books has enough rows; of the small ones the year has.
    const path = `/console/ledger/journal?${full ? `month=${monthBefore()}` : `month=&${yearBefore()}`}`;
    const scrolled = await scrollTable(context, { path, name: 'journal', rows: scrolledRows });
    const firstViewKb = Math.max(...views.map(({ scriptKb }) => scriptKb));
    const interactiveMs = median(views.map((view) => view.interactiveMs));
    const slowest = Math.max(...Object.values(api));
    return {
      bench: 'console',
      figures: {
        ...size,
        load: loadavg()[0] ?? 0,
        first_view_kb: firstViewKb,
        figures_ms: median(views.map(({ figuresMs }) => figuresMs)),
        interactive_ms: interactiveMs,
        api_p95_ms: api,
        scroll_rows: scrolled.rows,
        scroll_p95_frame_ms: scrolled.p95FrameMs,
        scroll_fps: scrolled.framesPerSecond,
        scroll_work_ms: scrolled.workMs,
        rss_mb: { billing: residentMb(house.billingPid), api: residentMb(house.apiPid) },
      },
      ratios: {
        first_view_over_bar: firstViewKb / bars.firstViewKb,
        interactive_over_bar: interactiveMs / bars.interactiveMs,
        slowest_api_over_bar: slowest / bars.apiMs,
        frame_over_bar: scrolled.p95FrameMs / bars.frameMs,
      },
    };
  } finally {
    await closeBrowser();
    await house.stop();
  }
}

type State = Awaited<ReturnType<BrowserContext['storageState']>>;

/** The cookies of a browser in which the owner has signed in by a link. */
async function signedIn(browser: Browser, house: House): Promise<State> {
  const context = await browser.newContext({ baseURL: house.billing });
  const page = await context.newPage();
  await page.goto(`/console/enter#${await house.link()}`);
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

/** Loads with nothing in the browser's cache, after one that is not measured. */
async function firstViews(browser: Browser, house: House, storageState: State): Promise<readonly FirstView[]> {
  const views: FirstView[] = [];
  for (let nth = -1; nth < loads; nth += 1) {
    const context = await browser.newContext({ baseURL: house.billing, storageState });
    const view = await loadToday(context);
    if (nth >= 0) views.push(view);
    await context.close();
  }
  return views;
}

/** Of each route, in milliseconds as the page's own session asks it of billing, which passes the API's on. */
async function apiAnswers({ billing }: House, { cookies }: State): Promise<Readonly<Record<string, number>>> {
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
  const call: Call = async (path) => {
    const response = await fetch(`${billing}${path}`, { headers: { cookie, 'sec-fetch-site': 'same-origin' } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${String(response.status)}: ${text.slice(0, 200)}`);
    return JSON.parse(text) as { next?: string | null };
  };
  const month = monthBefore();
  const answers: Record<string, number> = {};
  for (const [name, path] of await pageRoutes(call, month)) answers[name] = await p95(call, path);
  return answers;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** The last month that is over. */
function monthBefore(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1)).toISOString().slice(0, 7);
}

function yearBefore(): string {
  return `from=${dayBefore(360)}&to=${dayBefore(0)}`;
}

function dayBefore(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}
