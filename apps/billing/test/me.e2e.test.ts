import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { BrowserSession } from './browser-session.js';
import { type OperatorsApi, startOperatorsApi } from './operators-api.js';
import { type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let api: OperatorsApi;
let billing: Service;
/** Of each account, its final invoice of October and the receipts of its calls, the newest first. */
const invoices: Record<string, string> = {};
const receipts: Record<string, string[]> = {};

const reads = ['/me', '/me/usage', '/me/exports/focus', '/me/statement', '/me/invoices', '/me/receipts'] as const;

beforeAll(async () => {
  world = await openWorld();
  world.clock.set('2026-10-01T00:00:00Z');
  api = await startOperatorsApi(world);
  billing = await startService(world, { API_URL: api.url });
  for (const account of ['acct_1', 'acct_2']) {
    await world.log.terms(account, { includedUnits: '1', accountName: account === 'acct_1' ? 'Acme' : 'Other' });
    receipts[account] = [await world.log.keyCall(account, { units: 2 }), await world.log.keyCall(account)].toReversed();
  }
  await settled(async () => (await world.rows('select 1 from billing.entry')).length, 6);
  await agree('acct_1', 'acct_2');
  world.clock.set('2026-11-02T03:00:00Z');
  await billing.reconcile();
  await billing.app.get(DraftsJob).run();
  const { body } = await billing.call('/invoices/finalize', { body: { month: '2026-10', preview: false } });
  for (const { id, account } of (body as { items: { id: string; account: string }[] }).items) invoices[account] = id;
  if (Object.keys(invoices).length !== 2) throw new Error('October has other than two final invoices');
}, 90_000);
afterAll(async () => {
  await billing.close();
  await api.close();
  await world.close();
}, 30_000);

async function make(path: string, body: object): Promise<string> {
  return ((await billing.call(path, { body })).body as { id: string }).id;
}

/** One customer with both accounts: what is shown is the account's all the same. */
async function agree(...accounts: readonly string[]): Promise<void> {
  const sellerId = await make('/sellers', {
    legalName: 'Keyfare GmbH',
    address: 'Gasse 1',
    payTo: 'DE89370400440532013000',
    series: 'KF',
  });
  await make('/tax-rates', { code: 'DE', validFrom: '2026-01-01T00:00:00.000Z', basisPoints: 0, reverseCharge: false });
  const customerId = await make('/customers', {
    legalName: 'Acme',
    address: 'Street 2',
    language: 'en',
    reportingCurrency: 'EUR',
    paymentDays: 14,
    taxCode: 'DE',
  });
  for (const account of accounts) {
    await make('/contracts', { account, customerId, sellerId, startsAt: '2026-10-01T00:00:00.000Z' });
  }
}

async function atApi(path: string, body: object = {}): Promise<never> {
  const response = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${billing.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as never;
}

interface Issued {
  readonly key: { readonly id: string };
  readonly secret: string;
}

async function issue(account: string): Promise<Issued> {
  return atApi(`/admin/accounts/${account}/keys`);
}

async function signedIn(account: string): Promise<{ readonly browser: BrowserSession; readonly issued: Issued }> {
  const issued = await issue(account);
  const browser = new BrowserSession(billing.url);
  expect((await browser.call('/me/session', { body: { key: issued.secret } })).status).toBe(200);
  return { browser, issued };
}

const code = ({ status, body }: { readonly status: number; readonly body: unknown }): readonly unknown[] => [
  status,
  (body as { code?: string } | undefined)?.code,
];

const shutOut = [401, 'credential/required'];

describe('a customer who signs in with a key', () => {
  it('gets a cookie that no script reads, in which the key is not, for half an hour', async () => {
    const { browser, issued } = await signedIn('acct_1');
    const cookie = browser.cookies.get('keyfare_me');
    expect(cookie?.attributes).toMatch(/^Path=\/; Max-Age=1800; HttpOnly; SameSite=Strict$/);
    expect(cookie?.value).not.toContain(issued.secret.slice(-20));
    const [row] = await world.rows<{ sealed_key: Buffer }>('select sealed_key from billing.customer_session');
    expect(row?.sealed_key.toString('latin1')).not.toContain(issued.secret.slice(-20));
    expect(await browser.call('/me')).toMatchObject({
      status: 200,
      body: {
        account: { id: 'acct_1', name: 'Acme' },
        plan: { slug: 'starter', includedUnits: '1', overage: 'invoice', overagePrice: '0.000250' },
        month: { month: '2026-11', units: '0', amount: '0.000000' },
      },
    });
    world.clock.advance(31 * 60_000);
    expect(code(await browser.call('/me'))).toEqual(shutOut);
  });

  it('sees the usage, statement, invoices and receipts of that account, and of no other', async () => {
    for (const account of ['acct_1', 'acct_2']) {
      const { browser } = await signedIn(account);
      const items = async (path: string): Promise<readonly Record<string, unknown>[]> =>
        ((await browser.call(path)).body as { items: Record<string, unknown>[] }).items;
      expect(await items('/me/usage?month=2026-10')).toMatchObject([{ calls: '2', units: '3', included: '1' }]);
      expect(await items('/me/invoices')).toMatchObject([{ id: invoices[account], account, state: 'final' }]);
      const statement = await items('/me/statement?month=2026-11');
      expect(statement.map(({ kind }) => kind)).toEqual(['opening', 'invoice', 'closing']);
      const { body } = await browser.call('/me/receipts?limit=1');
      const { items: first, next } = body as { items: object[]; next: string };
      expect(first).toMatchObject([{ id: receipts[account]?.[0], receipt: expect.stringMatching(/^ey/) }]);
      expect(await items(`/me/receipts?cursor=${next}`)).toMatchObject([{ id: receipts[account]?.[1], units: '2' }]);
      const pdf = await browser.call(`/me/invoices/${invoices[account] ?? ''}/pdf`);
      expect([pdf.status, pdf.text.slice(0, 5)]).toEqual([200, '%PDF-']);
      const focus = await browser.call('/me/exports/focus?month=2026-10');
      const [header, ...rows] = focus.text.trim().split('\r\n');
      expect(header).toMatch(/^BilledCost,BillingAccountId,/);
      expect(rows.map((row) => row.split(',').slice(0, 2))).toEqual(
        ['0.000000', '0.000500', '10.000000'].map((cost) => [cost, account]),
      );
      expect(focus.text).toContain(',Keyfare GmbH,');
    }
  });

  it('gets its usage from the host that it asked, where nobody has agreed to invoice it', async () => {
    await world.log.terms('acct_3');
    await world.log.keyCall('acct_3');
    const { browser } = await signedIn('acct_3');
    const focus = async () => (await browser.call('/me/exports/focus')).text;
    expect(await settled(async () => (await focus()).includes(',127.0.0.1,'), true)).toBe(true);
  });

  it('is told of another account’s invoice, of a draft and of an id that is none the same', async () => {
    const { browser } = await signedIn('acct_1');
    const [draft] = await world.rows<{ id: string }>(
      `insert into billing.invoice (id, state, account, account_name, period_start, period_end, total, payable_cents,
          receipts, terms, digest, created_at, updated_at)
        values (gen_random_uuid(), 'draft', 'acct_1', 'Acme', '2026-11-01Z', '2026-12-01Z', 0, 0, 0, 1, '', now(), now())
        returning id`,
    );
    for (const id of [invoices['acct_2'], draft?.id, '00000000-0000-0000-0000-000000000000', 'x']) {
      expect(code(await browser.call(`/me/invoices/${id ?? ''}/pdf`))).toEqual([404, 'invoice/not-found']);
    }
    const own = (await browser.call('/me/invoices')).body as { items: { state: string }[] };
    expect(own.items.map(({ state }) => state)).toEqual(['final']);
    await world.rows(
      `insert into billing.invoice_line (invoice_id, line, kind, description, quantity, unit_price, amount)
      values ($1, 1, 'adjustment', 'not yet', 1, 1, 1)`,
      [draft?.id],
    );
    expect((await browser.call('/me/exports/focus?month=2026-11')).text).not.toContain('not yet');
    // No parameter names another account, and a cursor of another one's list goes on in one's own.
    for (const path of reads.slice(1)) expect((await browser.call(`${path}?account=acct_2`)).status).toBe(400);
    const other = (await (await signedIn('acct_2')).browser.call('/me/receipts?limit=1')).body as { next: string };
    const { items } = (await browser.call(`/me/receipts?cursor=${other.next}`)).body as { items: { id: string }[] };
    expect(receipts['acct_1']).toEqual(expect.arrayContaining(items.map(({ id }) => id)));
  });

  it('is out within a minute after the key is revoked; and by signing out', async () => {
    const { browser, issued } = await signedIn('acct_1');
    const { browser: second } = await signedIn('acct_1');
    await atApi(`/admin/keys/${issued.key.id}/revoke`);
    // The API may know of it a moment later.
    const enter = async (): Promise<string> =>
      code(await new BrowserSession(billing.url).call('/me/session', { body: { key: issued.secret } })).join();
    expect(await settled(enter, '401,credential/revoked')).toBe('401,credential/revoked');
    world.clock.advance(31_000);
    for (const path of reads) expect([path, ...code(await browser.call(path))]).toEqual([path, ...shutOut]);
    expect((await second.call('/me')).status).toBe(200);
    const kept = new Map(second.cookies);
    expect(code(await second.call('/me/session', { method: 'DELETE', headers: { 'x-csrf-token': 'x' } }))).toEqual([
      403,
      'operator/csrf',
    ]);
    expect((await second.call('/me/session', { method: 'DELETE' })).status).toBe(204);
    expect(second.cookies.has('keyfare_me')).toBe(false);
    for (const [name, cookie] of kept) second.cookies.set(name, cookie);
    expect(code(await second.call('/me'))).toEqual(shutOut);
  });
});

describe('nobody else', () => {
  it('comes in: not without a cookie, with an operator’s token or session, with a key as a header, nor with a guess', async () => {
    const { secret } = await issue('acct_1');
    const cookies = ['', 'keyfare_me=', `keyfare_me=${billing.token}`, `keyfare_me=${secret}`];
    const headers = [
      ...cookies.map((cookie) => ({ cookie })),
      { cookie: `keyfare_session=${billing.token}` },
      { cookie: `keyfare_me=kfm_${'a'.repeat(43)}` },
      { authorization: `Bearer ${billing.token}` },
      { authorization: `Bearer ${secret}` },
    ];
    for (const path of [...reads, `/me/invoices/${invoices['acct_1'] ?? ''}/pdf`]) {
      for (const header of headers) {
        const answer = await billing.call(path, { token: null, headers: header });
        expect([path, header, ...code(answer)]).toEqual([path, header, ...shutOut]);
      }
    }
    expect(code(await billing.call('/me/session', { method: 'DELETE', token: null }))).toEqual(shutOut);
  });

  it('may use a customer’s cookie for what is an operator’s', async () => {
    const { browser } = await signedIn('acct_1');
    for (const path of ['/invoices', '/reports/revenue', '/gate/admin/accounts', '/session']) {
      expect([path, (await browser.call(path)).status]).toEqual([path, 401]);
    }
    const { value } = browser.cookies.get('keyfare_me') ?? { value: '' };
    expect((await billing.call('/invoices', { token: value })).status).toBe(401);
  });

  it('signs in with a wrong key, a revoked one or an operator’s token, or from another site; and not too often', async () => {
    const browser = new BrowserSession(billing.url);
    const { key, secret } = await issue('acct_1');
    const enter = async (body: object, headers = {}): Promise<readonly unknown[]> =>
      code(await browser.call('/me/session', { body, headers }));
    expect(await enter({ key: secret }, { 'sec-fetch-site': 'cross-site' })).toEqual([403, 'operator/csrf']);
    const wrong = `${secret.slice(0, -1)}${secret.endsWith('x') ? 'y' : 'x'}`;
    expect(await enter({ key: wrong })).toEqual([401, 'credential/malformed']);
    expect(await enter({ key: billing.token })).toEqual([401, 'credential/malformed']);
    expect(await enter({ key: 'a b\r\nx: y' })).toEqual([400, 'request/invalid']);
    expect(await enter({ key: secret, account: 'acct_2' })).toEqual([400, 'request/invalid']);
    await atApi(`/admin/keys/${key.id}/revoke`);
    expect(await settled(async () => (await enter({ key: secret })).join(), '401,credential/revoked')).toBe(
      '401,credential/revoked',
    );
    expect(browser.cookies.size).toBe(0);
    // More than the bound, however slowly this machine asks: it lets five more through each second.
    const answers: string[] = [];
    for (let turn = 0; turn < 20 && !answers.includes('429,credential/throttled'); turn += 1) {
      const some = await Promise.all(Array.from({ length: 50 }, async () => enter({ key: 'kf_live_x' })));
      answers.push(...some.map(String));
    }
    expect(answers).toContain('429,credential/throttled');
    // A good key is taken from the same address all the same.
    await signedIn('acct_2');
  });
});
