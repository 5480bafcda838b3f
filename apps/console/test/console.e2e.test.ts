import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { seriousFindings } from './axe.js';
import { journeys } from './journeys.js';
import { pages } from './pages.js';
import { typedPart } from './typed-part.js';
import { openWorld, type Person, password, pick, settled, type World } from './world.js';

const require = createRequire(import.meta.url);

describe('the console in a real Chromium', () => {
  let world: World;
  let admin: Person;
  let finance: Person;

  beforeAll(async () => {
    world = await openWorld();
    admin = await world.person('admin');
    finance = await world.person('finance');
    const { id } = await world.ask<{ id: string }>('/reconciliations', { body: { scope: 'full' } });
    for (let state = ''; state !== 'done'; await pause(100)) {
      ({ state } = await world.ask<{ state: string }>(`/reconciliations/${id}`));
      if (state === 'failed') throw new Error('the reconciliation failed');
    }
  }, 600_000);
  afterEach(async () => world.closePages());
  afterAll(async () => world.close(), 60_000);

  it('signs in by name and password, says what is wrong with them, and signs out', async () => {
    const page = await (await world.context()).newPage();
    await page.goto('/');
    await page.getByLabel('Name', { exact: true }).fill(admin.name);
    await page.getByLabel('Password', { exact: true }).fill('not the password at all');
    await page.keyboard.press('Enter');
    await page.getByText('operator/wrong-password').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Today', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
    expect(await page.context().cookies()).toEqual([
      expect.objectContaining({ name: 'keyfare_device', httpOnly: true }),
    ]);
  }, 60_000);

  it('lets the owner in by the address once, and takes the token out of it', async () => {
    const { link } = await world.ask<{ link: string }>(`/admin/operators/${admin.id}/link`, { of: 'api', body: {} });
    const page = await (await world.context()).newPage();
    await page.goto(`/console/enter#${link}`);
    await page.getByRole('heading', { name: 'Today', exact: true }).waitFor();
    expect(page.url()).toBe(`${world.billing}/console/`);
    const other = await (await world.context()).newPage();
    await other.goto(`/console/enter#${link}`);
    await other.getByText('operator/wrong-password').waitFor();
  }, 60_000);

  it('resolves a break by keyboard alone: what it posts is shown before, and seen in the ledger after', async () => {
    const page = await world.open(finance, '/reconciliation?class=settled-not-recorded');
    await page.getByRole('grid', { name: 'breaks', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'settled-not-recorded', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Resolve', exact: true }).focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: /\bHow\b/ }).focus();
    await page.keyboard.press('Enter');
    await pick(page, 'Keep as other income');
    await dialog.getByText(/It posts 0.0033 USDC/).waitFor();
    await dialog.getByLabel('Why', { exact: true }).focus();
    await page.keyboard.type('nobody asks for it');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('Keep as other income: nobody asks for it').waitFor();
    const balance = await world.ask<{ items: { account: string; credit: string }[] }>(
      '/reports/trial-balance?limit=200',
    );
    expect(balance.items.find(({ account }) => account === 'other-income')?.credit).toBe('0.003300');
  }, 90_000);

  it('lets two people decide: who proposed cannot approve, the other one does after the password', async () => {
    const other = await world.person('finance');
    const path = '/reconciliation?class=unknown-inbound';
    const first = await world.open(finance, path);
    await first.getByRole('grid', { name: 'breaks', exact: true }).getByText('unknown-inbound').first().click();
    await first.getByRole('button', { name: 'Resolve', exact: true }).click();
    await first
      .getByRole('dialog')
      .getByRole('button', { name: /\bHow\b/ })
      .click();
    await first.getByRole('option', { name: 'Owe it back', exact: true }).click();
    await first.getByText('A second person has to approve it.').waitFor();
    await first.getByRole('dialog').getByLabel('Why', { exact: true }).fill('it is a stranger’s');
    await first.getByRole('dialog').getByRole('button', { name: 'Resolve', exact: true }).click();
    await first.getByText('Proposed resolution').waitFor();
    await first.getByRole('button', { name: 'Approve', exact: true }).click();
    await first.getByRole('button', { name: 'Approve and post', exact: true }).click();
    await first.getByText('break/conflict').waitFor();

    const second = await world.open(other, first.url().slice(`${world.billing}/console`.length));
    await second.getByRole('button', { name: 'Approve', exact: true }).click();
    await second.getByRole('button', { name: 'Approve and post', exact: true }).click();
    await second.getByText('Owe it back: it is a stranger’s').waitFor();
    await second.getByRole('heading', { name: 'Resolution', exact: true }).waitFor();
    await second.getByRole('button', { name: 'Open again', exact: true }).waitFor();
  }, 120_000);

  it('two people who change one case: the second is told, and nothing of the first is lost', async () => {
    const other = await world.person('admin');
    const path = '/reconciliation?class=meter-mismatch';
    const [one, two] = [await world.open(admin, path), await world.open(other, path)];
    for (const page of [one, two]) {
      await page.getByRole('grid', { name: 'breaks', exact: true }).getByText('meter-mismatch').first().click();
      await page.getByRole('button', { name: 'Assign', exact: true }).click();
    }
    await one.getByLabel('Owner', { exact: true }).fill('ada');
    await one.getByRole('button', { name: 'Save', exact: true }).click();
    await one.getByRole('dialog').waitFor({ state: 'detached' });
    await two.getByLabel('Owner', { exact: true }).fill('grace');
    await two.getByRole('button', { name: 'Save', exact: true }).click();
    await two.getByText('request/precondition-failed').waitFor();
    expect(await two.getByLabel('Owner', { exact: true }).inputValue()).toBe('grace');
  }, 90_000);

  it('keeps what was written when the session ends in the middle of a form', async () => {
    const page = await world.open(admin, '/reconciliation?class=digest-mismatch');
    await page.getByRole('grid', { name: 'breaks', exact: true }).getByText('digest-mismatch').first().click();
    await page.getByLabel('Comment', { exact: true }).fill('half a sentence');
    const { items } = await world.ask<{ items: { id: string }[] }>(`/admin/sessions?operator=${admin.id}&limit=200`, {
      of: 'api',
    });
    for (const { id } of items)
      await world.ask(`/admin/sessions/${id}/end`, { of: 'api', body: {} }).catch(() => undefined);
    const dialog = page.getByRole('dialog', { name: 'Your session has ended', exact: true });
    const comment = page.getByRole('button', { name: 'Comment', exact: true });
    // What the page reads by itself may be the first to be refused.
    await Promise.any([comment.click(), dialog.waitFor()]);
    await dialog.getByLabel('Password', { exact: true }).fill(password);
    await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    const said = page.getByRole('listitem').filter({ hasText: 'half a sentence' });
    // Where the click was what had been refused, it is sent again by itself.
    if ((await page.getByLabel('Comment', { exact: true }).inputValue()) !== '' && (await said.count()) === 0) {
      await comment.click({ timeout: 5_000 }).catch(() => undefined);
    }
    await said.waitFor();
    await page.waitForFunction(() => document.querySelector('textarea')?.value === '');
  }, 90_000);

  it('shows a viewer no button that changes anything, and the API refuses one all the same', async () => {
    const viewer = await world.person('viewer');
    const page = await world.open(viewer, '/reconciliation?class=refund-due');
    await page.getByRole('grid', { name: 'breaks', exact: true }).getByText('refund-due').first().click();
    await page.getByRole('heading', { name: 'refund-due', exact: true }).waitFor();
    await page.getByText('It is as it was found.').waitFor();
    expect(await page.getByRole('button', { name: /Resolve|Assign|Comment/ }).count()).toBe(0);
    const csrf = await page.evaluate(async () => ((await (await fetch('/session')).json()) as { csrf: string }).csrf);
    const status = await page.evaluate(
      async (token) => (await fetch('/reconciliations', { method: 'POST', headers: { 'x-csrf-token': token } })).status,
      csrf,
    );
    expect(status).toBe(403);
  }, 90_000);

  it('says that the connection is lost, and reads again when it is back', async () => {
    const page = await world.open(finance, '/');
    await page.getByText('Calls today').waitFor();
    // The code of further pages comes after the first, and what it imports after it.
    const code = await page.waitForFunction(
      () => performance.getEntriesByType('resource').find(({ name }) => /\/reconciliation-[^/]*\.js$/.test(name))?.name,
    );
    await page.evaluate(
      async (name) => {
        if (name !== undefined) await import(name);
      },
      await code.jsonValue(),
    );
    await page.context().setOffline(true);
    await page.getByRole('link', { name: 'Reconciliation', exact: true }).click();
    await page.getByText('The connection is lost.').first().waitFor();
    await page.context().setOffline(false);
    await page.getByRole('grid', { name: 'breaks', exact: true }).waitFor();
    await page.getByText('The connection is lost.').first().waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Try again', exact: true }).first().waitFor({ state: 'detached' });
  }, 90_000);

  it('has no serious finding of axe on any page, light, and dark once the system changes', async () => {
    const page = await world.open(admin, '/', { colorScheme: 'light' });
    expect(await seriousFindings(page, pages)).toEqual([]);
  }, 120_000);

  it('fits a phone: nothing is wider than the page but what scrolls in itself', async () => {
    const page = await world.open(admin, '/', { viewport: { width: 360, height: 740 } });
    const wide: string[] = [];
    for (const path of pages) {
      await page.goto(`/console${path}`);
      await settled(page);
      if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) wide.push(path);
    }
    expect(wide).toEqual([]);
    await page.getByRole('button', { name: 'Menu', exact: true }).click();
    await page.getByRole('link', { name: 'Today', exact: true }).waitFor();
  }, 90_000);

  it.each([
    ['en-GB', /As of \d{1,2} \w+ \d{4}/, /^0\.\d+ USDC$/],
    ['de-DE', /As of \d{2}\.\d{2}\.\d{4}/, /^0,\d+ USDC$/],
  ])(
    'writes numbers and dates as the reader’s language does: %s',
    async (locale, date, amount) => {
      const page = await world.open(admin, '/', { locale });
      await page.getByText(date).waitFor();
      await page.locator('.stats .money', { hasText: amount }).first().waitFor();
    },
    60_000,
  );

  it('knows the API as it is: its types are of the documents that both programs serve', async () => {
    for (const [of, name] of [
      ['billing', 'billing'],
      ['api', 'gate'],
    ] as const) {
      const kept = JSON.parse(readFileSync(require.resolve(`@keyfare/api-types/${name}.json`), 'utf8')) as unknown;
      expect(typedPart(await world.ask('/openapi.json', { of }))).toEqual(kept);
    }
  });

  journeys(() => world);
});
