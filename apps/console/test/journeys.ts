import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import type { Locator, Page } from 'playwright-core';
import { goBy, type Person, type World } from './world.js';

interface List<T> {
  readonly items: readonly T[];
}

/** What finance and operators do on the pages, by mouse and by keyboard alone. */
export function journeys(worldOf: () => World): void {
  let world: World;
  let admin: Person;
  let page: Page;
  let month: string;
  /** The list as it is without a choice begins 30 days ago, which on a 31st is after all that was seeded. */
  let seeded: string;

  const heading = async (name: string | RegExp): Promise<void> => page.getByRole('heading', { name }).first().waitFor();
  const grid = (name: string) => page.getByRole('grid', { name });
  const witness = (name: string): Locator =>
    page.locator('.note', { has: page.getByRole('heading', { level: 3, name }) });
  const go = async (path: string): Promise<void> => {
    await page.goto(`/console${path}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
  };

  type Drafts = List<{ account: string; total: string }>;
  const read = async (): Promise<Drafts> => world.ask<Drafts>(`/invoices?month=${month}&limit=200`);

  beforeAll(async () => {
    world = worldOf();
    month = world.month;
    seeded = `?from=${world.from.slice(0, 10)}`;
    admin = await world.person('admin');
    page = await world.open(admin, '/', { acceptDownloads: true });
    world.keep(page);
    // A first start may have looked for what is to be drawn up before it had read the log.
    await world.ask('/jobs/drafts/run', { body: {} });
    while ((await read()).items.length === 0) await page.waitForTimeout(200);
  }, 60_000);

  it('by keyboard alone: g and a letter go to every page, Enter opens the first row of a list', async () => {
    await go('/');
    const visits: readonly (readonly [string, string])[] = [
      ['r', 'Reconciliation'],
      ['c', 'Customers'],
      ['p', 'Payments'],
      ['v', 'Receipts'],
      ['i', 'Invoices'],
      ['l', 'Trial balance'],
      ['n', 'Prices and plans'],
      ['o', 'Operations'],
      ['t', 'Today'],
    ];
    for (const [key, title] of visits) {
      await goBy(page, key, page.getByRole('heading', { level: 1, name: title }));
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard', exact: true }).waitFor();
    await page.keyboard.press('Escape');
    for (const [path, query, name] of [
      ['/customers', '', 'accounts'],
      ['/payments', seeded, 'payments'],
    ] as const) {
      await go(`${path}${query}`);
      await grid(name).focus();
      await page.keyboard.press('j');
      await page.keyboard.press('Enter');
      await page.waitForURL(new RegExp(`/console${path}/.+`));
    }
    expect(page.url()).toContain('/console/payments/');
  }, 90_000);

  it('every page is worked by keyboard alone: numbers, rows, fields, buttons, dialogs', async () => {
    const press = async (...keys: readonly string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const tabTo = async (target: Locator): Promise<void> => {
      await target.waitFor();
      for (let steps = 0; steps < 200; steps += 1) {
        if (await target.evaluate((element) => element === document.activeElement)) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`${target.toString()} is not reached by Tab`);
    };
    const enter = async (target: Locator): Promise<void> => {
      await tabTo(target);
      await page.keyboard.press('Enter');
    };
    const title = async (name: string | RegExp): Promise<void> =>
      page.getByRole('heading', { level: 1, name }).waitFor();
    const pageBy = async (key: string, there: Locator | string): Promise<void> =>
      goBy(page, key, typeof there === 'string' ? page.getByRole('heading', { level: 1, name: there }) : there);
    await go('/');

    await enter(page.getByRole('link', { name: /Refunds due/ }));
    await title(/Refunds/);

    await pageBy('r', grid('months'));
    await tabTo(grid('months'));
    // The month before the running one.
    await press('j', 'Enter');
    await page.waitForURL(/reconciliation\/months/);
    await enter(page.getByRole('button', { name: 'Sign off', exact: true }));
    await enter(page.getByRole('dialog').getByRole('button', { name: 'Sign off', exact: true }));
    await page.getByText(`Signed off by ${admin.name}`).waitFor();

    await pageBy('v', 'Receipts');
    const { items } = await world.ask<List<{ entry: string }>>(`/reports/settlements?month=${month}&limit=1`);
    await tabTo(page.getByLabel('A receipt, or its id', { exact: true }));
    await page.keyboard.type(items[0]?.entry ?? '');
    await enter(page.getByRole('button', { name: 'Check', exact: true }));
    await page.getByText('genuine', { exact: true }).waitFor();

    await pageBy('l', grid('trial balance'));
    await enter(grid('trial balance'));
    await page.waitForURL(/ledger\/accounts/);

    await pageBy('i', 'Invoices');
    await enter(grid('invoices'));
    await page.waitForURL(/invoices\/[0-9a-f-]{36}/);
    await page.getByRole('heading', { name: 'Lines', exact: true }).waitFor();

    await pageBy('n', 'Prices and plans');
    await enter(grid('plans'));
    await enter(page.getByRole('button', { name: 'Next version', exact: true }));
    await tabTo(page.getByLabel('Price of a month, in dollars', { exact: true }));
    await press('Control+A');
    await page.keyboard.type('19.50');
    await page.getByText('19.50').first().waitFor();
    await press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });

    await pageBy('o', 'Operations');
    await enter(page.getByRole('link', { name: 'Audit log', exact: true }));
    await title(/Audit/);
    await enter(page.getByRole('grid').first());
    await page.getByRole('dialog').waitFor();
    await press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });

    await pageBy('p', 'Payments');
    await go(`/payments${seeded}`);
    await enter(grid('payments'));
    await page.getByText('Presented and claimed').waitFor();
    expect(page.url()).toContain('/console/payments/');
  }, 120_000);

  it('Invoices: a draft is made final by a run with its preview, and its PDF is shown beside it', async () => {
    const seller = {
      legalName: 'Keyfare Test GmbH',
      address: '1 Street\nBerlin',
      taxId: 'DE123456789',
      payTo: 'DE89370400440532013000',
      series: `T${Date.now() % 100_000}`,
    };
    const { id: sellerId } = await world.ask<{ id: string }>('/sellers', { body: seller });
    const customer = {
      legalName: 'Acme Ltd',
      address: '2 Road\nDublin',
      language: 'en',
      reportingCurrency: 'USD',
      paymentDays: 14,
    };
    const { id: customerId } = await world.ask<{ id: string }>('/customers', { body: customer });
    const drafts = await read();
    const account = drafts.items.find(({ total }) => Number(total) >= 0.005)?.account ?? drafts.items[0]?.account ?? '';
    const startsAt = `${month}-01T00:00:00.000Z`;
    await world.ask('/contracts', { body: { customerId, sellerId, account, startsAt } });
    await go(`/invoices/run?month=${month}`);
    await page.getByRole('button', { name: 'Preview', exact: true }).click();
    await page.getByText('It is through.').waitFor();
    await page.getByText('Would be final').waitFor();
    await page.getByRole('button', { name: 'Make final', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Make final', exact: true }).click();
    await page.getByText('Made final').waitFor();
    await page.getByText('It is through.').waitFor();
    const { items } = await world.ask<List<{ id: string; number: string | null }>>(
      `/invoices?account=${account}&month=${month}`,
    );
    const [made] = items;
    expect(made?.number).toContain(seller.series);
    await go(`/invoices/${made?.id}`);
    await heading(made?.number ?? '');
    await page.getByRole('button', { name: 'Show the PDF', exact: true }).click();
    await page.locator('iframe.paper').waitFor();
    const pdf = await page.evaluate(
      async (path) => (await fetch(path)).headers.get('content-type'),
      `/invoices/${made?.id}/pdf`,
    );
    expect(pdf).toBe('application/pdf');
  }, 120_000);

  it('Reconciliation: what receipt, usage, journal and chain say of a case stands side by side', async () => {
    await go('/reconciliation?class=amount-mismatch');
    await grid('breaks').getByText('amount-mismatch').first().click();
    await witness('Chain').getByText('final').waitFor();
    const says = async (name: string, what: RegExp): Promise<void> => witness(name).filter({ hasText: what }).waitFor();
    await says('Receipt', /amount\s*1000/);
    await says('Usage', /Charged\s*0\.001 USDC/);
    // Whichever of log and chain was read first: the transfer's journals are others then.
    await says('Journal', /0\.001 USDC from revenue:x402:\w+/);
    await says('Journal', /0\.0009 USDC/);
    await says('Chain', /Expected\s*0\.001 USDC.*final\s*0\.0009 USDC/);
  }, 60_000);

  it('Reconciliation: a month’s statement is read and signed off', async () => {
    await go(`/reconciliation/months/${month}`);
    await page.getByRole('button', { name: /^Sign off/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign off', exact: true }).click();
    await page.getByText(`Signed off by ${admin.name}`).waitFor();
    await page.getByText('unchanged since').waitFor();
    const report = await world.ask<{ signedOff: { operator: { id: string } } }>(`/months/${month}/report`);
    expect(report.signedOff.operator.id).toBe(admin.id);
  }, 60_000);

  it('Reconciliation: a run is asked for and its progress followed to its end', async () => {
    await go('/reconciliation');
    await page.getByRole('button', { name: 'Run a full audit', exact: true }).click();
    await page.waitForURL(/\/reconciliation\/runs\//);
    await page.locator('.badge', { hasText: 'done' }).waitFor();
    await page.getByText('Breaks that it found').waitFor();
    await page.getByText('Digest', { exact: true }).waitFor();
  }, 60_000);

  it('Ledger: from the trial balance to an account, from a movement of it to the receipt', async () => {
    await go('/ledger');
    await page.getByText('balanced').first().waitFor();
    await grid('trial balance').getByText('revenue:key:forecast').click();
    await heading('revenue:key:forecast');
    await page.goto(`${page.url().split('?')[0]}?month=${month}`);
    await grid('movements').getByRole('link').first().click();
    await page.waitForURL(/\/receipts/);
    await page.getByText('genuine', { exact: true }).waitFor();
    await page.getByText('Its journals').waitFor();
  }, 60_000);

  it('Operations: an operator is made with a token that is shown once, and the audit log tells it', async () => {
    await go('/operations/operators');
    await page
      .getByRole('button', { name: /^New operator/ })
      .first()
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('someone new');
    await dialog.getByRole('button', { name: 'Make', exact: true }).click();
    // What is sensitive asks for the password, where it was not shown just now.
    const again = page.getByRole('dialog', { name: 'Your password, please', exact: true });
    const token = page.getByRole('dialog', { name: 'The token of someone new', exact: true });
    await Promise.any([again.waitFor(), token.waitFor()]);
    if (await again.isVisible()) {
      await again.getByLabel('Password', { exact: true }).fill('correct horse battery staple');
      await page.keyboard.press('Enter');
    }
    await token.waitFor();
    expect(await token.innerText()).toMatch(/kfo_\w+/);
    await page.keyboard.press('Escape');
    await go('/operations/audit?of=api');
    await page.getByText('operator.create').first().waitFor();
  }, 90_000);

  it('every table is a file: what is exported is what is shown', async () => {
    await go('/reconciliation');
    const begun = page.waitForEvent('download');
    await page
      .locator('.table-box', { has: grid('breaks') })
      .getByRole('button', { name: 'Export CSV', exact: true })
      .click();
    const download = await begun;
    const lines = readFileSync(await download.path(), 'utf8')
      .trimEnd()
      .split('\r\n');
    const { items } = await world.ask<List<unknown>>('/breaks?status=open&limit=200');
    expect([download.suggestedFilename(), lines[0], lines.length]).toEqual([
      'breaks.csv',
      'Weight,Break,What,Amount,Age in days,Owner,Due,State',
      items.length + 1,
    ]);
  }, 60_000);

  it('a customer sees its own account by its key, and nothing of the operators’', async () => {
    for (let call = 0; call < 3; call += 1) {
      const response = await fetch(`${world.api}/v1/forecast?latitude=52.5&longitude=13.4&date=2026-11-21`, {
        headers: { authorization: `Bearer ${world.demoKey}` },
      });
      expect(response.status).toBe(200);
    }
    const own = await (await world.context()).newPage();
    await own.goto('/console/me');
    await own.getByLabel('API key', { exact: true }).fill('kf_test_nobody');
    await own.keyboard.press('Enter');
    await own.getByText(/credential\//).waitFor();
    await own.getByLabel('API key', { exact: true }).fill(world.demoKey);
    await own.keyboard.press('Enter');
    await own.getByRole('button', { name: 'Sign out', exact: true }).waitFor();
    const receipt = own.getByRole('grid', { name: 'receipts', exact: true }).getByText('forecast').first();
    // The page reads its list once, and billing a moment after the call.
    const isShown = async (): Promise<boolean> =>
      receipt.waitFor({ timeout: 3_000 }).then(
        () => true,
        () => false,
      );
    while (!(await isShown())) await own.reload();
    await own.goto('/console/reconciliation');
    await own.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    await own.goto('/console/me');
    await own.getByRole('button', { name: 'Sign out', exact: true }).click();
    await own.getByLabel('API key', { exact: true }).waitFor();
    expect(await own.evaluate(async () => (await fetch('/me')).status)).toBe(401);
  }, 90_000);
}
