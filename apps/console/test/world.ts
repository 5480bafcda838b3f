import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '@keyfare/fixtures/browser';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';

export const password = 'correct horse battery staple';
type Role = 'viewer' | 'finance' | 'operator' | 'admin';

/** Somebody who can sign in. */
export interface Person {
  readonly id: string;
  readonly name: string;
}

/** What the page is tried on: a seeded database, the API, billing and the chain as `npm start` runs them; a browser. */
export interface World {
  readonly billing: string;
  readonly api: string;
  /** Of an account that has not called yet. */
  readonly demoKey: string;
  readonly browser: Browser;
  /** The last month of the history, as in 2026-10, and the start of its first. */
  readonly month: string;
  readonly from: string;
  /** Asks the API or billing as the owner. */
  ask<T>(
    path: string,
    init?: { readonly of?: 'api' | 'billing'; readonly method?: string; readonly body?: unknown },
  ): Promise<T>;
  person(role: Role, name?: string): Promise<Person>;
  /** A browser of its own, in which the person has signed in by a link, at a path of the page. */
  open(who: Person, path: string, options?: BrowserContextOptions): Promise<Page>;
  /** A browser of its own in which nobody has. */
  context(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** The page stays open beyond the test that opened it. */
  keep(page: Page): void;
  /** Closes the pages that are not kept: one that nobody looks at goes on reading. */
  closePages(): Promise<void>;
  close(): Promise<void>;
}

const require = createRequire(import.meta.url);
const seedCli = require.resolve('@keyfare/seed/cli');
/** What `npm start` runs: it is not in the package that is published. */
const startCli = fileURLToPath(new URL('../../../../packages/devstack/dist/src/start/cli.js', import.meta.url));

export async function openWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'keyfare-console-'));
  chmodSync(home, 0o711);
  const history = ['--accounts', '6', '--calls', '240', '--months', '2', '--paid-percent', '10', '--home', home];
  await whole(spawn(process.execPath, [seedCli, ...history, '--seed', 'console', '--json']));
  // Small amounts are enough for two people to have to agree.
  writeFileSync(join(home, 'billing.env'), 'FOUR_EYES_ABOVE=0.01\n');
  const stack = spawn(process.execPath, [startCli, '--json', '--no-story'], {
    env: { ...process.env, KEYFARE_HOME: home },
  });
  const ended = new Promise((resolve) => void stack.once('exit', resolve));
  const { api, billing, adminToken, demoKey } = JSON.parse(await firstLine(stack)) as Record<
    'api' | 'billing' | 'adminToken' | 'demoKey',
    string
  >;
  const browser = await openBrowser();

  const ask: World['ask'] = async <T>(
    path: string,
    { of = 'billing', method, body }: Parameters<World['ask']>[1] = {},
  ) => {
    const response = await fetch(`${of === 'api' ? api : billing}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  };
  const linkOf = async ({ id }: Person): Promise<string> =>
    (await ask<{ link: string }>(`/admin/operators/${id}/link`, { of: 'api', body: {} })).link;
  const passing = new Set<BrowserContext>();
  const context: World['context'] = async (options) => {
    const opened = await browser.newContext({ locale: 'en-GB', baseURL: billing, ...options });
    // Of what a test waits for the machine decides when it comes: these end what hangs.
    opened.setDefaultTimeout(100_000);
    passing.add(opened);
    return opened;
  };
  return {
    api,
    demoKey,
    month: monthsBack(1),
    from: `${monthsBack(2)}-01T00:00:00Z`,
    billing,
    browser,
    ask,
    person: async (role, name = `${role} ${crypto.randomUUID().slice(0, 8)}`) => {
      const made = await ask<{ operator: Person; token: string }>('/admin/operators', {
        of: 'api',
        body: { name, role },
      });
      const set = await fetch(`${api}/admin/operators/self/password`, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ new: password }),
      });
      if (!set.ok) throw new Error(`no password was set: ${await set.text()}`);
      return { id: made.operator.id, name };
    },
    open: async (who, path, options) => {
      const page = await (await context(options)).newPage();
      await page.goto(`/console/enter#${await linkOf(who)}`);
      await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
      if (path !== '/') await page.goto(`/console${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      return page;
    },
    context,
    keep: (page) => {
      passing.delete(page.context());
    },
    closePages: async () => {
      const over = [...passing];
      passing.clear();
      await Promise.all(over.map(async (opened) => opened.close()));
    },
    close: async () => {
      await browser.close();
      stack.kill('SIGINT');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** A month of the history: it ends with the month before the running one. */
function monthsBack(count: number): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - count)).toISOString().slice(0, 7);
}

/** Waits until the page has read what it shows. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('.spinner, progress:not([value])') === null);
}

/** The first line that a program says; it goes on. */
async function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    let complaint = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const [line, rest] = said.split('\n');
      if (rest !== undefined && line !== undefined) resolve(line);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once('exit', (code) => reject(new Error(`a program ended with ${String(code)}: ${complaint}`)));
  });
}

/** Waits for a program that ends well. */
async function whole(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    child.stdout?.resume();
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`a program ended with ${String(code)}: ${complaint}`)),
    );
  });
}

/** One option of an open list by keyboard. The list forgets letters that were typed a second ago. */
export async function pick(page: Page, name: string): Promise<void> {
  const option = page.getByRole('option', { name, exact: true });
  await option.waitFor();
  await page.keyboard.press('Home');
  const isFocused = async (): Promise<boolean> => option.evaluate((element) => element === document.activeElement);
  while (!(await isFocused())) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
}

/** To another page by `g` and a letter. The page forgets a `g` after a while, also when the machine takes so long. */
export async function goBy(page: Page, key: string, there: Locator): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    const isThere = await there.waitFor({ timeout: 5_000 }).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  await there.waitFor();
}
