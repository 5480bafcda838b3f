import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { proveBooks } from './prove-books.js';
import { openReceivables, type Receivables } from './receivables.js';
import { makeOperator, type Service } from './service.js';
import { balances, type World } from './world.js';

let books: Receivables;
let world: World;
let service: Service;

beforeEach(async () => {
  books = await openReceivables();
  ({ world, service } = books);
}, 60_000);
afterEach(async () => books.close());

/** The contract of an account, after October's drafts were made of one call. */
async function contractOf(account: string): Promise<string> {
  const { items } = (await service.call('/contracts')).body as { items: readonly { id: string; account: string }[] };
  return items.find((contract) => contract.account === account)?.id ?? '';
}

async function linesOf(month: string, account = 'acct_1'): Promise<readonly Record<string, unknown>[]> {
  const list = (await service.call(`/invoices?account=${account}&month=${month}`)).body as { items: { id: string }[] };
  const invoice = (await service.call(`/invoices/${list.items[0]?.id}`)).body as { lines: Record<string, unknown>[] };
  return invoice.lines;
}

describe('a price of a contract', () => {
  it('takes the place of the plan for calls made from then on, and never of those that are charged; every check agrees', async () => {
    await books.drafts('acct_1');
    const path = `/contracts/${await contractOf('acct_1')}/prices`;
    const price = { sku: 'forecast', unitPrice: '0.0001', validFrom: '2026-11-10T00:00:00.000Z' };
    const reader = await makeOperator(world, ['read', 'write']);
    expect(await books.post(path, price, reader)).toMatchObject([403, {}]);
    const refused = async (change: object) => (await books.post(path, { ...price, ...change }))[0];
    // October's call is charged, and September has no contract.
    expect(await refused({ validFrom: '2026-10-01T00:00:00.000Z' })).toBe(409);
    expect(await refused({ validFrom: '2026-09-30T00:00:00.000Z' })).toBe(409);
    expect(await refused({ unitPrice: '-1' })).toBe(400);
    expect(await books.post(path, price)).toMatchObject([201, { unitPrice: '0.000100' }]);
    expect(await refused({})).toBe(409);
    expect(await books.post(path, { ...price, unitPrice: null, validFrom: '2026-11-20T00:00:00.000Z' })).toMatchObject([
      201,
      { unitPrice: null },
    ]);
    for (const at of ['2026-11-09T23:59:59.999Z', '2026-11-10T00:00:00.000Z', '2026-11-20T00:00:00.000Z']) {
      world.clock.set(at);
      await world.log.keyCall('acct_1', { units: 2 });
    }
    await world.log.keyCall('acct_1', { units: 2, sku: 'distances', at: new Date('2026-11-12T00:00:00Z') });
    world.clock.set('2026-12-02T03:00:00Z');
    expect((await books.reconcile()).filter((text) => !text.startsWith('invoice-stale'))).toEqual([]);
    await service.app.get(DraftsJob).run();
    expect((await linesOf('2026-11')).filter(({ kind }) => kind === 'overage')).toMatchObject([
      { sku: 'distances', quantity: '2', unitPrice: '0.000250' },
      { sku: 'forecast', quantity: '2', unitPrice: '0.000100', amount: '0.000200' },
      { sku: 'forecast', quantity: '4', unitPrice: '0.000250', amount: '0.001000' },
    ]);
    // A later price, or another end of the contract, would be one of calls that are charged.
    expect(await refused({ validFrom: '2026-11-15T00:00:00.000Z' })).toBe(409);
    const end = { method: 'PATCH', headers: { 'if-match': '*' } };
    const contract = path.replace('/prices', '');
    const early = await service.call(contract, { ...end, body: { endsAt: '2026-11-18T00:00:00.000Z' } });
    expect([early.status, (early.body as { code: string }).code]).toEqual([409, 'contract/conflict']);
    expect((await service.call(contract, { ...end, body: { endsAt: '2026-12-01T00:00:00.000Z' } })).status).toBe(200);
    expect((await proveBooks(world)).differences).toEqual([]);
    expect(await books.reconcile()).toEqual([]);
    await world.rows(`alter table billing.contract_price disable trigger all`);
    await world.rows('update billing.contract_price set unit_price = 300 where unit_price = 100');
    await service.reconcile({ scope: 'full' });
    const found = await world.rows(`select class from billing.break where class = 'ledger-mismatch' and present`);
    expect(found).toHaveLength(1);
  });
});

describe('a commit of a contract', () => {
  it('is a line of what is missing to it, earned when the month is over, also of an account that used nothing', async () => {
    await world.log.terms('acct_2', { monthlyPrice: '0' });
    const customer = await books.drafts('acct_1');
    const sellers = (await service.call('/sellers')).body as { items: readonly { id: string }[] };
    const startsAt = '2026-10-16T12:00:00.000Z';
    await service.call('/contracts', {
      body: { account: 'acct_2', customerId: customer, sellerId: sellers.items[0]?.id, startsAt },
    });
    const commit = async (account: string, change: object = {}) => {
      const path = `/contracts/${await contractOf(account)}/commits`;
      return books.post(path, { amount: '31', validFrom: '2026-10-01T00:00:00.000Z', ...change });
    };
    expect(await commit('acct_1', { validFrom: '2026-10-02T00:00:00.000Z' })).toMatchObject([400, {}]);
    expect(await commit('acct_1')).toMatchObject([201, { amount: '31.000000' }]);
    expect(await commit('acct_2')).toMatchObject([201, {}]);
    expect(await commit('acct_2', { amount: '0', validFrom: '2026-11-01T00:00:00.000Z' })).toMatchObject([201, {}]);
    await service.app.get(DraftsJob).run();
    const [, { items }] = await books.post('/invoices/finalize', { month: '2026-10', preview: false });
    expect(items).toMatchObject([
      { account: 'acct_1', payable: '31.00' },
      { account: 'acct_2', payable: '15.50' },
    ]);
    expect((await linesOf('2026-10')).at(-1)).toMatchObject({
      kind: 'commit',
      description: 'Minimum of 31.00 USD, of which 10.000250 was used',
      amount: '20.999750',
    });
    const rows = await books.focus('acct_1', '2026-10');
    expect(rows).toContainEqual(['Purchase', 20_999_750n]);
    expect(rows.reduce((sum, [, cost]) => sum + cost, 0n)).toBe(31_000_000n);
    expect((await linesOf('2026-10', 'acct_2')).at(-1)).toMatchObject({
      description: 'Minimum of 15.50 USD, of which 0.00 was used, 2026-10-16T12:00:00.000Z to 2026-11-01T00:00:00.000Z',
    });
    expect(await balances(world)).toMatchObject({
      [`receivable:${customer}`]: '46500000',
      'revenue:commit': '-36499750',
    });
    expect((await balances(world))[`deferred-revenue:${customer}`]).toBeUndefined();
    const days = `select day::text, slug from billing.invoice_release where slug is null group by day, slug`;
    expect(await world.rows(days)).toEqual([{ day: '2026-10-31', slug: null }]);
    expect(await commit('acct_1', { amount: '5' })).toMatchObject([409, { code: 'contract/conflict' }]);
    world.clock.set('2026-12-02T03:00:00Z');
    await books.reconcile();
    await service.app.get(DraftsJob).run();
    expect(await books.reconcile()).toEqual([]);
    expect((await service.call('/invoices?account=acct_2&month=2026-11')).body).toMatchObject({ items: [] });
    expect((await linesOf('2026-11')).at(-1)).toMatchObject({ kind: 'commit', amount: '21.000000' });
    expect((await proveBooks(world)).differences).toEqual([]);
  });
});
