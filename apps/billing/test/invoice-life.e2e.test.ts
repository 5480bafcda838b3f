import { createHash } from 'node:crypto';
import { errorCode } from '@keyfare/db/sql';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { unidentifiedReceipts } from '../src/ledger/chart.js';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { InvoiceLife } from '../src/pipeline/invoice-life.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { proveBooks } from './prove-books.js';
import { makeOperator, type Service, startService } from './service.js';
import { balances, openWorld, type World } from './world.js';

let world: World;
const services: Service[] = [];

beforeEach(async () => {
  world = await openWorld({ INVOICE_APPROVAL_ABOVE: '100' });
  world.clock.set('2026-10-01T00:00:00Z');
  await world.rows(`alter database ${world.database.name} set timezone to 'Pacific/Auckland'`);
}, 60_000);
afterEach(async () => {
  await Promise.all(services.splice(0).map(async (service) => service.close()));
  await world.close();
});

async function start(): Promise<Service> {
  const service = await startService(world);
  services.push(service);
  return service;
}

/** Books what was written, and answers the open breaks but those of standstills: there is no chain here. */
async function reconcile(service: Service): Promise<readonly string[]> {
  await service.app.get(ReconcileJob).run('manual');
  const rows = await world.rows<{ class: string; detail: string }>(
    `select class, detail from billing.break
      where status = 'open' and class not in ('chain-stalled', 'intake-stalled') order by class, detail`,
  );
  return rows.map((row) => `${row.class}: ${row.detail}`);
}

async function make(service: Service, path: string, body: object): Promise<string> {
  const answer = await service.call(path, { body });
  expect([path, answer.status]).toEqual([path, 201]);
  return (answer.body as { id: string }).id;
}

/** A seller, a customer with tax of 19 %, and contracts of these accounts. Answers the customer. */
async function agree(service: Service, ...accounts: readonly string[]): Promise<string> {
  const payTo = 'DE89370400440532013000';
  const validFrom = '2026-01-01T00:00:00.000Z';
  await make(service, '/tax-rates', { code: 'DE', validFrom, basisPoints: 1_900, reverseCharge: false });
  const sellerId = await make(service, '/sellers', {
    legalName: 'Keyfare GmbH',
    address: 'Gasse 1',
    payTo,
    series: 'KF',
  });
  const customer = {
    legalName: 'Acme',
    address: 'Street 2',
    language: 'en',
    reportingCurrency: 'EUR',
    paymentDays: 14,
  };
  const customerId = await make(service, '/customers', { ...customer, taxCode: 'DE' });
  for (const account of accounts) {
    await make(service, '/contracts', { account, customerId, sellerId, startsAt: '2026-10-01T00:00:00.000Z' });
  }
  return customerId;
}

interface Item {
  readonly id: string;
  readonly account: string;
  readonly number: string | null;
  readonly payable: string | null;
  readonly refusal: { readonly code: string } | null;
}

async function finalize(service: Service, body: object = {}, token?: string): Promise<readonly Item[]> {
  const answer = await service.call('/invoices/finalize', {
    body: { month: '2026-10', preview: false, ...body },
    ...(token !== undefined && { token }),
  });
  expect(answer.status).toBe(200);
  return (answer.body as { items: readonly Item[] }).items;
}

async function read(service: Service, id: string): Promise<Record<string, unknown>> {
  return (await service.call(`/invoices/${id}`)).body;
}

async function code(service: Service, path: string, body: object = {}): Promise<readonly [number, string | undefined]> {
  const answer = await service.call(path, { body });
  return [answer.status, (answer.body as { code?: string }).code];
}

/** October with two calls at 250 micro-dollars and a plan of 10 dollars, drafted in November. */
async function october(...accounts: readonly string[]): Promise<{ service: Service; customer: string }> {
  const service = await start();
  for (const account of accounts) {
    await world.log.terms(account, { includedUnits: '0' });
    await world.log.keyCall(account);
    await world.log.keyCall(account);
  }
  const customer = await agree(service, ...accounts);
  world.clock.set('2026-11-02T03:00:00Z');
  await reconcile(service);
  await service.app.get(DraftsJob).run();
  return { service, customer };
}

describe('a draft that becomes final', () => {
  it('has its number, its parties, its tax and its exact entries, and is posted to the micro-dollar', async () => {
    const { service, customer } = await october('acct_1');
    expect(await finalize(service, { preview: true })).toMatchObject([
      { account: 'acct_1', number: null, payable: '11.90', refusal: null },
    ]);
    const [made] = await finalize(service);
    expect(made).toMatchObject({ number: 'KF-000001', payable: '11.90', refusal: null });
    const invoice = await read(service, made?.id ?? '');
    expect(invoice).toMatchObject({
      state: 'final',
      number: 'KF-000001',
      subtotal: '10.00',
      tax: '1.90',
      taxCode: 'DE',
      payable: '11.90',
      outstanding: '11.900000',
      dueOn: '2026-11-16',
      customerId: customer,
      customer: { legalName: 'Acme' },
      seller: { legalName: 'Keyfare GmbH' },
      receipts: '2',
    });
    const document = String(invoice['document']);
    expect(createHash('sha256').update(document).digest('hex')).toBe(invoice['digest']);
    const entries = await world.rows<{ id: string }>('select entry_id as id from billing.charge order by place');
    const ids = entries.map(({ id }) => id).join(',');
    expect(createHash('sha256').update(ids).digest('hex')).toBe(invoice['entriesDigest']);
    const after = await balances(world);
    const { 'revenue:plan:starter': plan, [`receivable:${customer}`]: owed, rounding, 'tax-payable:DE': tax } = after;
    expect({ plan, owed, rounding, tax }).toEqual({
      plan: '-10000000',
      owed: '11900000',
      rounding: '500',
      tax: '-1900000',
    });
    expect(Object.keys(after).filter((name) => /unbilled|deferred/.test(name))).toEqual([]);
    const days = await world.rows<{ count: number; sum: string }>(
      `select count(*)::int as count, sum(amount)::text as sum from billing.invoice_release where released_at is not null`,
    );
    expect(days).toEqual([{ count: 31, sum: '10000000' }]);
    expect(await service.app.get(DraftsJob).run()).toBe(0);
    world.clock.set('2026-11-04T03:00:00Z');
    expect(await reconcile(service)).toEqual([]);
    // What it says of its customer stays.
    const change = { method: 'PATCH', body: { legalName: 'Other' }, headers: { 'if-match': '*' } };
    expect((await service.call(`/customers/${customer}`, change)).status).toBe(200);
    expect(await read(service, made?.id ?? '')).toMatchObject({ customer: { legalName: 'Acme' } });
    expect(await finalize(service)).toEqual([]);
  }, 60_000);

  it('is refused without a contract, before its month was read to the end, and by whoever approved it', async () => {
    const service = await start();
    await world.log.terms('acct_1', { monthlyPrice: '200000000' });
    await world.log.terms('acct_2');
    await reconcile(service);
    await service.call('/invoices', { body: { account: 'acct_1', month: '2026-10' } });
    await service.call('/invoices', { body: { account: 'acct_2', month: '2026-10' } });
    const codes = async (): Promise<unknown> => (await finalize(service)).map(({ refusal }) => refusal?.code ?? null);
    expect(await codes()).toEqual(['invoice/not-over', 'invoice/not-over']);
    world.clock.set('2026-11-02T03:00:00Z');
    await reconcile(service);
    expect(await codes()).toEqual(['invoice/no-contract', 'invoice/no-contract']);
    await agree(service, 'acct_1');
    expect(await codes()).toEqual(['invoice/needs-approval', 'invoice/no-contract']);
    const [big] = await world.rows<{ id: string }>(`select id from billing.invoice where account = 'acct_1'`);
    expect((await service.call(`/invoices/${big?.id}/approve`, { body: {} })).status).toBe(200);
    expect(await codes()).toEqual(['invoice/needs-approval', 'invoice/no-contract']);
    const second = await makeOperator(world);
    expect(await finalize(service, {}, second)).toMatchObject([{ number: 'KF-000001' }, { number: null }]);
  }, 60_000);

  it('has one number of its own when two processes finalize at once, without a gap', async () => {
    const accounts = Array.from({ length: 6 }, (_, index) => `acct_${index}`);
    const { service } = await october(...accounts);
    const other = await start();
    const both = await Promise.all([finalize(service), finalize(other)]);
    const numbers = both.flat().flatMap(({ number }) => (number === null ? [] : [number]));
    expect(numbers.toSorted()).toEqual(accounts.map((_, index) => `KF-00000${index + 1}`));
    expect(await finalize(service)).toEqual([]);
    expect(await world.rows(`select action from billing.audit where action = 'invoice.finalize'`)).toHaveLength(6);
  }, 60_000);

  it('goes on where a run with a limit ended', async () => {
    const { service } = await october('acct_1', 'acct_2', 'acct_3');
    const body = { month: '2026-10', preview: true, limit: 2 };
    const first = (await service.call('/invoices/finalize', { body })).body as { next: string; items: readonly Item[] };
    expect([first.next, first.items.length]).toEqual(['acct_2', 2]);
    const rest = (await service.call('/invoices/finalize', { body: { ...body, after: first.next } })).body;
    expect(rest).toMatchObject({ next: null, items: [{ account: 'acct_3' }], payable: '11.90', refused: 0 });
  }, 60_000);
});

describe('a charge that is read after its invoice is final', () => {
  it('is on the next invoice, on a line that says of which month, and on no other', async () => {
    const { service } = await october('acct_1');
    const [first] = await finalize(service);
    await world.log.keyCall('acct_1', { units: 4, at: new Date('2026-10-20T00:00:00Z') });
    world.clock.set('2026-11-05T00:00:00Z');
    expect(await reconcile(service)).toEqual([]);
    world.clock.set('2026-12-02T00:00:00Z');
    await reconcile(service);
    await service.app.get(DraftsJob).run();
    const [next] = await finalize(service, { month: '2026-11' });
    expect(await read(service, next?.id ?? '')).toMatchObject({
      number: 'KF-000002',
      total: '10.001000',
      receipts: '1',
      lines: [
        { description: expect.stringMatching(/, of 2026-10, read after its invoice$/), quantity: '4' },
        { kind: 'plan' },
      ],
    });
    expect(await read(service, first?.id ?? '')).toMatchObject({ receipts: '2' });
    expect((await balances(world))['unbilled-receivable:acct_1']).toBeUndefined();
    world.clock.set('2026-12-05T00:00:00Z');
    expect(await reconcile(service)).toEqual([]);
    // The first is voided: its month is billed again, without what the second one took.
    expect((await service.call(`/invoices/${first?.id}/void`, { body: {} })).status).toBe(200);
    const [again] = await finalize(service);
    expect(again?.id).not.toBe(first?.id);
    expect(await read(service, again?.id ?? '')).toMatchObject({ number: 'KF-000003', receipts: '2', attempt: 2 });
    expect(await reconcile(service)).toEqual([]);
  }, 60_000);
});

describe('a call that is readmitted after the invoice of its month is final', () => {
  it('is on the next invoice, and on that of its month when the first one is voided', async () => {
    // Nobody has read terms of the account yet.
    const refused = [await world.log.keyCall('acct_1', { units: 4 }), await world.log.keyCall('acct_1', { units: 8 })];
    const { service } = await october('acct_1');
    const [first] = await finalize(service);
    expect(await read(service, first?.id ?? '')).toMatchObject({ receipts: '2' });
    const readmit = async (id = ''): Promise<number> =>
      (await service.call(`/entries/${id}/readmit`, { body: { reason: 'the terms came late' } })).status;
    expect(await readmit(refused[0])).toBe(200);
    world.clock.set('2026-11-05T00:00:00Z');
    expect(await reconcile(service)).toEqual([expect.stringMatching(/^terms-missing/)]);
    world.clock.set('2026-12-02T00:00:00Z');
    await reconcile(service);
    await service.app.get(DraftsJob).run();
    const [next] = await finalize(service, { month: '2026-11' });
    expect(await read(service, next?.id ?? '')).toMatchObject({
      total: '10.001000',
      lines: [{ description: expect.stringMatching(/, of 2026-10, read after its invoice$/), quantity: '4' }, {}],
    });
    expect(await readmit(refused[1])).toBe(200);
    expect((await service.call(`/invoices/${first?.id}/void`, { body: {} })).status).toBe(200);
    const [again] = await finalize(service);
    expect(await read(service, again?.id ?? '')).toMatchObject({ receipts: '3', attempt: 2 });
    expect((await balances(world))['unbilled-receivable:acct_1']).toBeUndefined();
    world.clock.set('2026-12-05T00:00:00Z');
    expect(await reconcile(service)).toEqual([]);
    await service.app.get(ReconcileJob).run('manual', 'full');
    expect(await reconcile(service)).toEqual([]);
    expect((await proveBooks(world)).differences).toEqual([]);
  }, 60_000);
});

describe('a final invoice', () => {
  it('is voided: everything that it posted is undone, and its month is drafted again', async () => {
    const { service, customer } = await october('acct_1');
    const before = await balances(world);
    const [made] = await finalize(service);
    const path = `/invoices/${made?.id}`;
    const voided = await service.call(`${path}/void`, { body: {} });
    expect(voided.body).toMatchObject({ state: 'void', number: 'KF-000001' });
    expect(await balances(world)).toEqual(before);
    expect(await code(service, `${path}/void`)).toEqual([409, 'invoice/conflict']);
    expect(await service.app.get(DraftsJob).run()).toBe(0);
    const [again] = await finalize(service);
    expect(again).toMatchObject({ number: 'KF-000002', payable: '11.90' });
    expect((await balances(world))[`receivable:${customer}`]).toBe('11900000');
    world.clock.set('2026-11-04T03:00:00Z');
    expect(await reconcile(service)).toEqual([]);
  }, 60_000);

  it('is paid in parts and never too much, each source once; then it cannot be voided', async () => {
    const { service, customer } = await october('acct_1');
    const [made] = await finalize(service);
    const id = made?.id ?? '';
    const life = service.app.get(InvoiceLife);
    const debit = { ...unidentifiedReceipts('USDC'), code: 'bank:test', asset: 'USD' as const };
    const pay = async (amount: bigint, source: string): Promise<string> =>
      world.sql.transaction(async (tx) => {
        return (await life.applyPayment(tx, { invoice: id, amount, debit, source })).invoice.state;
      });
    expect(await pay(1_900_000n, 'a')).toBe('partially_paid');
    expect(await pay(1_900_000n, 'a')).toBe('partially_paid');
    await expect(pay(10_000_001n, 'b')).rejects.toMatchObject({ code: 'invoice/conflict' });
    expect(await code(service, `/invoices/${id}/void`)).toEqual([409, 'invoice/conflict']);
    expect(await pay(10_000_000n, 'b')).toBe('paid');
    expect(await balances(world)).toMatchObject({ 'bank:test': '11900000' });
    expect((await balances(world))[`receivable:${customer}`]).toBeUndefined();
    // What was paid comes back as credit.
    const credit = await service.call(`/invoices/${id}/credit-notes`, { body: { reason: 'goodwill' } });
    expect(credit.body).toMatchObject({ number: 'KF/C-000001', total: '11.90', toCredit: '11.900000' });
    expect((await balances(world))[`customer-credit:${customer}`]).toBe('-11900000');
    world.clock.set('2026-11-04T03:00:00Z');
    expect(await reconcile(service)).toEqual([]);
  }, 60_000);

  it('is credited by line and then whole: together never more than it came to, and to exactly nothing', async () => {
    const { service, customer } = await october('acct_1');
    const [made] = await finalize(service);
    const path = `/invoices/${made?.id}/credit-notes`;
    const credit = (lines: readonly object[]): object => ({ reason: 'outage', lines });
    const part = await service.call(path, { body: credit([{ line: 2, amount: '3.333333' }]) });
    expect(part.body).toMatchObject({ number: 'KF/C-000001', subtotal: '3.33', tax: '0.63', total: '3.96' });
    const tooMuch = [409, 'credit-note/too-much'];
    expect(await code(service, path, credit([{ line: 2, amount: '6.666668' }]))).toEqual(tooMuch);
    expect(await code(service, path, credit([{ line: 9, amount: '1' }]))).toEqual(tooMuch);
    expect(await code(service, path, credit([{ line: 1, amount: '0.000001' }]))).toEqual([400, 'request/invalid']);
    const rest = await service.call(path, { body: { reason: 'the rest' } });
    expect(rest.body).toMatchObject({ number: 'KF/C-000002', subtotal: '6.67', tax: '1.27', total: '7.94' });
    expect(await code(service, path, { reason: 'again' })).toEqual(tooMuch);
    const after = await balances(world);
    expect(after[`receivable:${customer}`]).toBeUndefined();
    expect(after).toMatchObject({ adjustments: '10000500' });
    expect([after['tax-payable:DE'], after['rounding']]).toEqual([undefined, undefined]);
    expect(await read(service, made?.id ?? '')).toMatchObject({ state: 'paid', credited: '11.900000' });
    expect((await service.call(path)).body).toMatchObject({ items: [{ number: 'KF/C-000001' }, { total: '7.94' }] });
    world.clock.set('2026-11-04T03:00:00Z');
    expect(await reconcile(service)).toEqual([]);
  }, 60_000);

  it('is given up: what is left of it is a loss', async () => {
    const { service } = await october('acct_1');
    const [made] = await finalize(service);
    const given = await service.call(`/invoices/${made?.id}/uncollectible`, { body: {} });
    expect(given.body).toMatchObject({ state: 'uncollectible' });
    expect(await balances(world)).toMatchObject({ 'bad-debt': '11900000' });
    expect(await code(service, `/invoices/${made?.id}/uncollectible`)).toEqual([409, 'invoice/conflict']);
    world.clock.set('2026-11-04T03:00:00Z');
    expect(await reconcile(service)).toEqual([]);
  }, 60_000);

  it('changes in nothing but its state, whoever writes, and a change past the trigger is a break', async () => {
    const { service } = await october('acct_1');
    await finalize(service);
    const refusal = async (change: string): Promise<string | undefined> =>
      world.rows(`update billing.invoice set ${change}`).then(
        () => undefined,
        (error: unknown) => errorCode(error),
      );
    for (const change of [
      'total = 1',
      `number = 'KF-000009'`,
      `customer = '{}'`,
      `document = '{}'`,
      'up_to_place = 0',
      'tax_cents = 0',
      `state = 'draft'`,
      'paid = -1',
    ]) {
      expect([change, await refusal(change)]).toEqual([change, 'KF002']);
    }
    world.clock.set('2026-11-04T03:00:00Z');
    const past = async (text: string): Promise<readonly string[]> => {
      await world.sql.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' });
        await tx.query({ text });
      });
      return (await reconcile(service)).filter((line) => line.startsWith('invoice-mismatch'));
    };
    expect(await past('select 1')).toEqual([]);
    const rename = (from: string, to: string): string =>
      `update billing.invoice set document = replace(document, '${from}', '${to}')`;
    expect(await past(rename('Gasse', 'Gosse'))).toEqual([
      'invoice-mismatch: The invoice is not what was frozen.',
      'invoice-mismatch: What was frozen is not what its digest says.',
    ]);
    expect(await past(rename('Gosse', 'Gasse'))).toEqual([]);
    expect(await past(`update billing.invoice set entries_digest = '\\x00'`)).toEqual([
      'invoice-mismatch: Its entries are not those that the charges come to.',
      'invoice-mismatch: The invoice is not what was frozen.',
    ]);
    expect(await past(`update billing.number_series set last = 2`)).toContain(
      'invoice-mismatch: The numbers of the series are not 1 to 2, each once.',
    );
  }, 60_000);

  it('that was proven is read again when a charge of its account comes, when it is credited, and in its turn', async () => {
    const { service } = await october('acct_1', 'acct_2');
    const made = await finalize(service);
    world.clock.set('2026-11-02T05:00:00Z');
    const mismatches = async (trigger: 'manual' | 'schedule' = 'manual'): Promise<readonly unknown[]> => {
      await service.app.get(ReconcileJob).run(trigger);
      const rows = await world.rows<{ account: string }>(`select i.account from billing.break b
        join billing.invoice i on i.id::text = b.keys ->> 'invoice'
        where b.status = 'open' and b.class = 'invoice-mismatch' order by 1`);
      return rows.map(({ account }) => account);
    };
    const past = async (text: string): Promise<void> => {
      await world.sql.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' });
        await tx.query({ text });
      });
    };
    const spoil = async (account: string): Promise<void> =>
      past(`update billing.invoice set first_place = first_place + 1000000 where account = '${account}'`);
    const mend = async (): Promise<void> =>
      past(`update billing.invoice set first_place = first_place - 1000000 where first_place > 1000000`);
    expect(await mismatches('schedule')).toEqual([]);
    await spoil('acct_1');
    expect(await mismatches()).toEqual([]);
    await world.log.keyCall('acct_1', { at: new Date('2026-10-20T00:00:00Z') });
    expect(await mismatches()).toEqual(['acct_1', 'acct_1']);
    await mend();
    expect(await mismatches('schedule')).toEqual([]);
    await spoil('acct_2');
    expect(await mismatches()).toEqual([]);
    // Of two a thirtieth is one, the longest unread first.
    await mismatches('schedule');
    expect(await mismatches('schedule')).toEqual(['acct_2', 'acct_2']);
    await mend();
    expect(await mismatches()).toEqual([]);
    const path = `/invoices/${made[1]?.id ?? ''}/credit-notes`;
    expect((await service.call(path, { body: { reason: 'goodwill' } })).status).toBe(200);
    await past(`update billing.credit_note set digest = '\\x00'`);
    expect(await mismatches()).toEqual(['acct_2']);
  }, 60_000);
});
