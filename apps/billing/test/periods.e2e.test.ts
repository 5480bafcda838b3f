import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { proveBooks } from './prove-books.js';
import { openReceivables, type Receivables } from './receivables.js';
import type { Service } from './service.js';
import type { World } from './world.js';

let books: Receivables;
let world: World;
let service: Service;

beforeEach(async () => {
  books = await openReceivables();
  ({ world, service } = books);
}, 60_000);
afterEach(async () => books.close());

/** A customer and a seller, and a contract of the account with these periods. */
async function agree(account: string, contract: object): Promise<readonly [number, Record<string, unknown>]> {
  const ids = await parties();
  return books.post('/contracts', { account, ...ids, ...contract });
}

let made: { customerId: string; sellerId: string } | undefined;
beforeEach(() => {
  made = undefined;
});
async function parties(): Promise<{ customerId: string; sellerId: string }> {
  if (made !== undefined) return made;
  const payTo = 'DE89370400440532013000';
  const [, seller] = await books.post('/sellers', { legalName: 'Keyfare', address: 'Gasse 1', payTo, series: 'KF' });
  const [, customer] = await books.post('/customers', {
    legalName: 'Acme',
    address: 'Street 2',
    language: 'en',
    reportingCurrency: 'USD',
    paymentDays: 14,
  });
  made = { customerId: String(customer['id']), sellerId: String(seller['id']) };
  return made;
}

async function contractFrom(start: string): Promise<string | undefined> {
  const { body } = await service.call('/contracts');
  const { items } = body as { items: readonly { id: string; startsAt: string }[] };
  return items.find(({ startsAt }) => startsAt === start)?.id;
}

type Summary = Readonly<
  Record<'id' | 'month' | 'firstDay' | 'lastDay' | 'receipts' | 'total' | 'state' | 'timeZone', string>
>;

async function invoices(account: string): Promise<readonly Summary[]> {
  const { body } = await service.call(`/invoices?account=${account}`);
  return (body as { items: readonly Summary[] }).items.toReversed();
}

async function linesOf(id: string | undefined): Promise<readonly (readonly [string, string])[]> {
  const { body } = await service.call(`/invoices/${id}`);
  const { lines } = body as { lines: readonly { description: string; amount: string }[] };
  return lines.map(({ description, amount }) => [description, amount]);
}

/** At this time, once all was read: the drafts of what is over. */
async function night(at: string): Promise<void> {
  world.clock.set(at);
  await books.reconcile();
  await service.app.get(DraftsJob).run();
}

const berlin = { periodAnchor: 'anniversary', timeZone: 'Europe/Berlin', startsAt: '2026-10-13T22:00:00.000Z' };

describe('an account whose contract has an anniversary in Berlin', () => {
  const startOfSecond = '2026-11-13T23:00:00.000Z';

  async function use(): Promise<void> {
    await world.log.terms('acct_1', { includedUnits: '0' });
    const until = { startsAt: '2026-10-01T00:00:00.000Z', endsAt: berlin.startsAt };
    expect(await agree('acct_1', until)).toMatchObject([201, { periodAnchor: 'calendar', timeZone: 'UTC' }]);
    expect(await agree('acct_1', berlin)).toMatchObject([201, berlin]);
    for (const at of [
      '2026-10-05T00:00:00.000Z',
      '2026-10-13T21:59:59.999Z',
      '2026-10-13T22:00:00.000Z',
      '2026-11-01T00:00:00.000Z',
      '2026-11-13T22:59:59.999Z',
      startOfSecond,
    ]) {
      world.clock.set(at);
      await world.log.keyCall('acct_1');
    }
  }

  it('is invoiced for the month until then, and then from day to day; each call once, each fee by its days', async () => {
    await use();
    await night('2026-11-02T03:00:00Z');
    expect(await invoices('acct_1')).toMatchObject([
      { month: '2026-10', firstDay: '2026-10-01', lastDay: '2026-10-13', timeZone: 'UTC', receipts: '2' },
    ]);
    await night('2026-11-15T03:00:00Z');
    const [first, second, none] = await invoices('acct_1');
    expect([first, second, none]).toMatchObject([
      { receipts: '2' },
      { month: '2026-10', firstDay: '2026-10-14', lastDay: '2026-11-13', timeZone: 'Europe/Berlin', receipts: '3' },
      undefined,
    ]);
    // A month has 744 hours, of which 310 were over: two calls cost 250 micro-dollars each.
    expect(first?.total).toBe('4.167167');
    expect(await linesOf(second?.id)).toEqual([
      ['Units beyond the plan: forecast', '0.000750'],
      ['Plan starter, version 1', '10.000000'],
    ]);
    expect(await books.reconcile()).toEqual([]);
    const rows = await books.focus('acct_1', '2026-10');
    expect(rows.reduce((sum, [, cost]) => sum + cost, 0n)).toBe(14_167_917n);
    const [status, { items, next }] = await books.post('/invoices/finalize', {
      month: '2026-10',
      preview: false,
      limit: 1,
    });
    expect([status, items, next]).toMatchObject([200, [{ payable: '4.17' }, { payable: '10.00' }], null]);
    const pdf = await service.call(`/invoices/${second?.id}/pdf`);
    expect(pdf.status).toBe(200);
    const { body } = await service.call(`/entries?account=acct_1`);
    expect(body).toBeDefined();
    expect(await books.reconcile()).toEqual([]);
    expect((await proveBooks(world)).differences).toEqual([]);
    await service.reconcile({ scope: 'full' });
    expect(
      await world.rows(
        `select * from billing.break where present and class not in ('chain-stalled', 'intake-stalled')`,
      ),
    ).toEqual([]);
    // October can be closed: what is still a draft is of a period that ends in December.
    const checklist = (await service.call('/months/2026-10')).body as { checklist: { name: string; ok: boolean }[] };
    expect(checklist.checklist.find(({ name }) => name === 'invoices')?.ok).toBe(true);
  });

  it('has what was read late on the invoice of its next period, and what is added where it was asked for', async () => {
    await use();
    await night('2026-11-15T03:00:00Z');
    await books.post('/invoices/finalize', { month: '2026-10', preview: false });
    await world.log.keyCall('acct_1', { units: 7, at: new Date('2026-10-20T00:00:00Z') });
    await world.log.keyCall('acct_1', { units: 5, at: new Date('2026-10-02T00:00:00Z') });
    const added = { account: 'acct_1', kind: 'debit', amount: '1', description: 'Support', why: 'asked for' };
    expect(await books.post('/adjustments', { ...added, month: '2026-11' })).toMatchObject([
      201,
      { month: '2026-11-14' },
    ]);
    expect(await books.post('/adjustments', added)).toMatchObject([201, { month: '2026-11-14' }]);
    expect(await books.post('/invoices', { account: 'acct_1', month: '2026-10' })).toMatchObject([
      409,
      { code: 'invoice/conflict', detail: expect.stringContaining('2026-10-13T22:00:00.000Z') },
    ]);
    expect(await books.post('/invoices', { account: 'acct_1', month: '2026-10', at: startOfSecond })).toMatchObject([
      400,
      {},
    ]);
    expect(await books.post('/invoices', { account: 'acct_1' })).toMatchObject([400, {}]);
    await night('2026-12-15T03:00:00Z');
    const last = (await invoices('acct_1')).at(-1);
    expect(last).toMatchObject({ firstDay: '2026-11-14', lastDay: '2026-12-13', receipts: '3' });
    expect(await linesOf(last?.id)).toEqual([
      ['Units beyond the plan: forecast', '0.000250'],
      ['Units beyond the plan: forecast, of 2026-10, read after its invoice', '0.001250'],
      ['Units beyond the plan: forecast, of 2026-10-14, read after its invoice', '0.001750'],
      ['Plan starter, version 1', '10.000000'],
      ['Charge: Support', '1.000000'],
      ['Charge: Support', '1.000000'],
    ]);
    expect(await books.reconcile()).toEqual([]);
    // What customers fetch adds up to their invoice, with what came late for others, by its own days.
    const rows = await books.focus('acct_1', '2026-11');
    expect(rows.reduce((sum, [, cost]) => sum + cost, 0n)).toBe(12_003_250n);
    const { text } = await service.call('/exports/focus?account=acct_1&month=2026-11&provider=Weather');
    expect(text).toContain('2026-10-03T00:00:00Z,2026-10-02T00:00:00Z');
    expect((await books.focus('acct_1', '2026-10')).reduce((sum, [, cost]) => sum + cost, 0n)).toBe(14_167_917n);
    expect(await books.post('/invoices', { account: 'acct_1', at: '2026-12-01T00:00:00Z' })).toMatchObject([
      200,
      { id: last?.id },
    ]);
    const issued = (await invoices('acct_1'))[1];
    expect(await books.post(`/invoices/${issued?.id}/void`)).toMatchObject([200, { state: 'void' }]);
    const again = (await invoices('acct_1')).find(
      ({ firstDay, state }) => firstDay === '2026-10-14' && state === 'draft',
    );
    // Late calls are on the first invoice that is not final, and that is this one now.
    expect(again).toMatchObject({ receipts: '5' });
    await service.app.get(DraftsJob).run();
    expect((await invoices('acct_1')).at(-1)).toMatchObject({ firstDay: '2026-11-14', receipts: '1' });
    expect(await books.reconcile()).toEqual([]);
  });

  it('has a minimum from the start of a period on', async () => {
    await use();
    const path = `/contracts/${await contractFrom(berlin.startsAt)}/commits`;
    expect(await books.post(path, { amount: '40', validFrom: '2026-11-01T00:00:00.000Z' })).toMatchObject([
      400,
      { detail: expect.stringContaining('began at 2026-10-13T22:00:00.000Z') },
    ]);
    expect(await books.post(path, { amount: '40', validFrom: berlin.startsAt })).toMatchObject([201, {}]);
    await night('2026-11-15T03:00:00Z');
    expect(await linesOf((await invoices('acct_1'))[1]?.id)).toContainEqual([
      'Minimum of 40.00 USD, of which 10.000750 was used',
      '29.999250',
    ]);
    expect(await books.reconcile()).toEqual([]);
  });

  it('is told apart from a charge that says another period', async () => {
    await use();
    await night('2026-11-15T03:00:00Z');
    await world.rows('alter table billing.charge disable trigger all');
    await world.rows(
      `update billing.charge set billed_in = null where billed_in is not null and occurred_at < '2026-11-01T00:00Z'`,
    );
    await service.reconcile({ scope: 'full' });
    const found = await world.rows<{ detail: string }>(
      `select detail from billing.break where present and class = 'ledger-mismatch'`,
    );
    expect(new Set(found.map(({ detail }) => detail))).toEqual(
      new Set([
        'The charge is not what the entry and its terms or payment come to.',
        'The sums of charges of a day are not what the charges come to.',
      ]),
    );
  });
});

describe('the periods of a contract', () => {
  it('are those that its calls and invoices have not had yet, in a zone that is known, and fixed when it starts', async () => {
    await world.log.terms('acct_1', { includedUnits: '0' });
    world.clock.set('2026-10-05T00:00:00Z');
    await world.log.keyCall('acct_1');
    await books.reconcile();
    const refused = async (contract: object) => {
      const [status, { code }] = await agree('acct_1', { ...berlin, ...contract });
      return [status, code];
    };
    expect(await refused({ timeZone: 'Europe/Atlantis' })).toEqual([400, 'request/invalid']);
    expect(await refused({ timeZone: '+02:00' })).toEqual([400, 'request/invalid']);
    expect(await refused({ timeZone: 'europe/berlin' })).toEqual([400, 'request/invalid']);
    expect(await refused({ periodAnchor: 'weekly' })).toEqual([400, 'request/invalid']);
    // A call was made at this time, and is charged.
    expect(await refused({ startsAt: '2026-10-05T00:00:00.000Z' })).toEqual([409, 'contract/conflict']);
    // Months in UTC are what it has: nothing changes.
    const plain = {
      periodAnchor: 'calendar',
      timeZone: 'UTC',
      startsAt: '2026-10-01T00:00:00.000Z',
      endsAt: '2026-10-10T00:00:00.000Z',
    };
    expect(await refused(plain)).toEqual([201, undefined]);
    const [, contract] = await agree('acct_1', berlin);
    expect(await world.rows('select starts_at, anchor, time_zone from billing.billing_cycle')).toEqual([
      { starts_at: new Date(berlin.startsAt), anchor: 'anniversary', time_zone: 'Europe/Berlin' },
    ]);
    const change = async (body: object) => {
      const init = { method: 'PATCH', headers: { 'if-match': '*' }, body };
      const { status, body: answer } = await service.call(`/contracts/${String(contract['id'])}`, init);
      return [status, answer as Record<string, unknown>] as const;
    };
    expect(await change({ timeZone: 'Asia/Tokyo' })).toMatchObject([200, { timeZone: 'Asia/Tokyo' }]);
    expect(await change({ startsAt: '2026-10-20T00:00:00.000Z' })).toMatchObject([400, {}]);
    expect(await change({ periodAnchor: 'calendar', timeZone: 'UTC' })).toMatchObject([
      200,
      { periodAnchor: 'calendar' },
    ]);
    expect(await world.rows('select * from billing.billing_cycle')).toEqual([]);
    expect(await change({ periodAnchor: 'anniversary' })).toMatchObject([200, {}]);
    world.clock.set('2026-10-14T00:00:00Z');
    expect(await change({ periodAnchor: 'calendar' })).toMatchObject([409, { code: 'contract/conflict' }]);
    expect(await change({ endsAt: '2027-10-14T00:00:00.000Z' })).toMatchObject([200, {}]);
    // The month is cut where the contract starts, and its invoice is final.
    await night('2026-11-15T03:00:00Z');
    await books.post('/invoices/finalize', { month: '2026-10', preview: false });
    const between = { ...berlin, startsAt: '2026-10-10T00:00:00.000Z', endsAt: '2026-10-12T00:00:00.000Z' };
    expect(await refused(between)).toEqual([409, 'contract/conflict']);
  });

  it('go on as they are with a contract of the same calendar, and a draft of the running period is cut by another', async () => {
    await world.log.terms('acct_1', { includedUnits: '0' });
    const zone = { periodAnchor: 'calendar', timeZone: 'America/Los_Angeles' };
    await agree('acct_1', { ...zone, startsAt: '2026-10-01T07:00:00.000Z', endsAt: '2026-11-20T00:00:00.000Z' });
    expect(await agree('acct_1', { ...zone, startsAt: '2026-11-20T00:00:00.000Z' })).toMatchObject([201, {}]);
    expect(await world.rows('select starts_at from billing.billing_cycle')).toHaveLength(1);
    world.clock.set('2026-11-01T06:59:59.999Z');
    await world.log.keyCall('acct_1');
    world.clock.set('2026-11-01T07:00:00.000Z');
    await world.log.keyCall('acct_1', { units: 2 });
    await books.reconcile();
    await service.app.get(DraftsJob).run();
    // The first hours of October are a period in UTC.
    expect(await invoices('acct_1')).toMatchObject([
      { firstDay: '2026-10-01', lastDay: '2026-10-01', timeZone: 'UTC', receipts: '0' },
      { firstDay: '2026-10-01', lastDay: '2026-10-31', timeZone: 'America/Los_Angeles', receipts: '1' },
    ]);
    // Both are of October, and each is missed by itself.
    await world.rows('alter table billing.invoice disable trigger all');
    await world.rows('delete from billing.invoice_line');
    await world.rows('delete from billing.invoice');
    world.clock.set('2026-11-03T00:00:00.000Z');
    expect(await books.reconcile()).toEqual([
      'invoice-stale: The period is over and has no invoice.',
      'invoice-stale: The period is over and has no invoice.',
    ]);
    await service.app.get(DraftsJob).run();
    expect(await books.reconcile()).toEqual([]);
    const november = { account: 'acct_1', at: '2026-11-10T00:00:00Z' };
    expect(await books.post('/invoices', { ...november, at: '2026-12-01T08:00:00Z' })).toMatchObject([400, {}]);
    world.clock.set('2026-11-12T00:00:00.000Z');
    const [, running] = await books.post('/invoices', november);
    expect(running).toMatchObject({ firstDay: '2026-11-01', lastDay: '2026-11-30', running: true });
    const change = { method: 'PATCH', headers: { 'if-match': '*' }, body: { timeZone: 'Asia/Tokyo' } };
    expect((await service.call(`/contracts/${await contractFrom('2026-11-20T00:00:00.000Z')}`, change)).status).toBe(
      200,
    );
    await night('2026-12-02T03:00:00Z');
    expect((await invoices('acct_1')).slice(2)).toMatchObject([
      { id: running['id'], firstDay: '2026-11-01', lastDay: '2026-11-19', receipts: '1' },
      { firstDay: '2026-11-20', lastDay: '2026-11-30', timeZone: 'Asia/Tokyo', receipts: '0' },
    ]);
    expect(await books.reconcile()).toEqual([]);
  });
});
