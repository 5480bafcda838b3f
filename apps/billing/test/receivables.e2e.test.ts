import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { openReceivables, type Receivables } from './receivables.js';
import { makeOperator, type Service, settled } from './service.js';
import { balances, type World } from './world.js';

let books: Receivables;
let world: World;
let service: Service;

beforeEach(async () => {
  books = await openReceivables();
  ({ world, service } = books);
}, 60_000);
afterEach(async () => books.close());

describe('a bank payment', () => {
  it('pays the one invoice that its reference names, as it comes in; the rest waits', async () => {
    const { bank, customer, invoices } = await books.october('acct_1', 'acct_2', 'acct_3');
    const [first, second, third] = invoices.values();
    const answer = await books.send(
      bank,
      '2026-11-05,10.00,Acme,Invoice kf 000001 thank you',
      '2026-11-05,4.00,Acme,KF-000002 part',
      '2026-11-06,7.00,Acme,KF-000002',
      '2026-11-06,10.00,Acme,your invoice',
      '2026-11-06,20.00,Acme,KF-000002 KF-000003',
    );
    expect(answer).toMatchObject({ added: 5, matched: 3 });
    expect(await Promise.all([first, second, third].map(books.stateOf))).toEqual(['paid', 'paid', 'final']);
    expect((await books.open()).map(({ amount, matched }) => [amount, matched])).toEqual(
      expect.arrayContaining([
        ['7.000000', '6.000000'],
        ['10.000000', '0.000000'],
        ['20.000000', '0.000000'],
      ]),
    );
    expect(await balances(world)).toMatchObject({
      [`bank:${bank}`]: '51000000',
      'unidentified-bank': '-31000000',
      [`receivable:${customer}`]: '10000000',
    });
    expect(await books.reconcile()).toEqual([]);
  });

  it('pays several invoices, and several pay one, as an operator says; never more than either has left', async () => {
    const { bank, invoices } = await books.october('acct_1', 'acct_2');
    const [first = '', second = ''] = invoices.values();
    await books.send(bank, '2026-11-05,15.00,Acme,two invoices', '2026-11-06,5.00,Acme,the rest');
    const [large, small] = await books.open();
    const token = await makeOperator(world, ['read', 'write']);
    expect(await books.post(`/bank-payments/${large?.id}/match`, { invoice: first }, token)).toMatchObject([403, {}]);
    expect(await books.post(`/bank-payments/${large?.id}/match`, { invoice: first })).toMatchObject([
      200,
      { matched: '10.000000', state: 'open' },
    ]);
    const again = await books.post(`/bank-payments/${large?.id}/match`, { invoice: first, amount: '1' });
    expect(again).toMatchObject([409, { code: 'invoice/conflict' }]);
    const tooMuch = await books.post(`/bank-payments/${large?.id}/match`, { invoice: second, amount: '5.01' });
    expect(tooMuch).toMatchObject([409, { code: 'bank-payment/conflict' }]);
    expect(await books.post(`/bank-payments/${large?.id}/match`, { invoice: second })).toMatchObject([
      200,
      { matched: '15.000000', state: 'matched' },
    ]);
    expect(await books.stateOf(second)).toBe('partially_paid');
    // Asked twice at once: what is left is taken once.
    const both = await Promise.all(
      [1, 2].map(async () => books.post(`/bank-payments/${small?.id}/match`, { invoice: second })),
    );
    expect(both.map(([status]) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    expect(await books.stateOf(second)).toBe('paid');
    expect(await books.open()).toEqual([]);
    expect(await books.reconcile()).toEqual([]);
  });

  it('that is more than was to be paid becomes credit of the customer, which pays another invoice', async () => {
    const { bank, customer, invoices } = await books.october('acct_1', 'acct_2');
    const [, second = ''] = invoices.values();
    await books.send(bank, '2026-11-05,13.00,Acme,KF-000001');
    const [payment] = await books.open();
    const path = `/bank-payments/${payment?.id}/credit`;
    expect(await books.post(path, { customer, amount: '3.01' })).toMatchObject([
      409,
      { code: 'bank-payment/conflict' },
    ]);
    expect(await books.post(path, { customer: 'nobody' })).toMatchObject([404, { code: 'customer/not-found' }]);
    expect(await books.post(path, { customer })).toMatchObject([200, { matched: '13.000000', state: 'matched' }]);
    const credit = `/customers/${customer}/credit`;
    expect((await service.call(credit)).body).toEqual({ customer, balance: '3.000000' });
    const apply = (amount: string) => books.post(`${credit}/apply`, { invoice: second, amount });
    expect(await apply('3.01')).toMatchObject([409, { code: 'bank-payment/conflict' }]);
    expect(await apply('2.50')).toMatchObject([200, { balance: '0.500000' }]);
    expect(await books.stateOf(second)).toBe('partially_paid');
    expect((await service.call(`/invoices/${second}/payments`)).body).toEqual({
      items: [
        {
          source: expect.stringMatching(/^customer-credit:/),
          from: `customer-credit:${customer}`,
          currency: 'USD',
          amount: '2.500000',
          appliedAt: expect.any(String),
          undoneAt: null,
          undoneBy: null,
          why: null,
        },
      ],
    });
    const listed = await service.call('/invoices?state=partially_paid');
    expect(listed.body).toMatchObject({ items: [{ id: second }], next: null });
    expect((await service.call('/invoices?state=open')).status).toBe(400);
    expect(await balances(world)).toMatchObject({
      [`customer-credit:${customer}`]: '-500000',
      [`receivable:${customer}`]: '7500000',
    });
    expect(await books.reconcile()).toEqual([]);
  });
});

describe('a transfer from a wallet of the customer', () => {
  const till = testPayer(81);

  /** The same books with a chain, and a wallet on it. */
  async function openChain(): Promise<{ readonly node: LocalChain; readonly payer: TestPayer }> {
    const node = await startTestChain();
    await books.close();
    books = await openReceivables({ PAY_TO: till.address.toLowerCase(), RPC_URL: node.rpcUrl });
    ({ world, service } = books);
    const payer = await fundedPayer(node, 1);
    await fundEth(node.rpcUrl, payer.address);
    return { node, payer };
  }

  const paymentsOf = async (id: string) =>
    ((await service.call(`/invoices/${id}/payments`)).body as { items: Record<string, string | null>[] }).items;

  it('is taken back from an invoice that a bank paid a part of, and after its month was locked in the next', async () => {
    const { node, payer } = await openChain();
    try {
      const { bank, customer, invoices } = await books.october('acct_1');
      const id = invoices.get('KF-000001') ?? '';
      await books.send(bank, '2026-11-05,4.00,Acme,KF-000001');
      await books.post(`/customers/${customer}/wallets`, { address: payer.address });
      await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: till.address, value: 6_000_000n });
      await callRpc(node.rpcUrl, 'anvil_mine', ['0x80']);
      const pay = async () => {
        await books.post('/customers/wallets/match');
        return books.stateOf(id);
      };
      expect(await settled(pay, 'paid')).toBe('paid');
      const match = (await paymentsOf(id)).find(({ from }) => from === 'conversion:usd')?.['source'];
      await world.rows(
        `insert into billing.accounting_month (month, locked_at, locked_by) values ('2026-11-01', now(), 'ann')`,
      );
      world.clock.set('2026-12-03T00:00:00Z');
      const request = { match: match?.replace('match:', ''), why: 'of another customer' };
      expect(await books.post('/customers/wallets/unmatch', request)).toMatchObject([200, { invoice: id }]);
      expect((await service.call(`/invoices/${id}`)).body).toMatchObject({
        state: 'partially_paid',
        paid: '4.000000',
        outstanding: '6.000000',
      });
      expect(await balances(world)).toMatchObject({
        [`receivable:${customer}`]: '6000000',
        'unidentified-receipts': '-6000000',
      });
      const dates = await world.rows<{ month: string }>(
        `select distinct to_char(effective_at at time zone 'utc', 'YYYY-MM') as month from billing.journal
          where reverses is not null`,
      );
      expect(dates).toEqual([{ month: '2026-12' }]);
      // November has no draft here.
      const found = (await books.reconcile()).filter((text) => !text.startsWith('invoice-stale'));
      expect(found).toEqual([expect.stringMatching(/^unknown-inbound/)]);
    } finally {
      await node.kill();
    }
  }, 60_000);

  it('of exactly what is to be paid pays the invoice, and explains the money; another amount does not', async () => {
    const { node, payer } = await openChain();
    try {
      const { customer, invoices } = await books.october('acct_1');
      await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: till.address, value: 9_999_999n });
      await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: till.address, value: 10_000_000n });
      const count = async () => (await world.rows('select 1 from billing.chain_transfer')).length;
      expect(await settled(count, 2)).toBe(2);
      expect(await books.post('/customers/wallets/match')).toEqual([200, { items: [] }]);
      // A transfer counts from its final block on.
      await callRpc(node.rpcUrl, 'anvil_mine', ['0x80']);
      const path = `/customers/${customer}/wallets`;
      expect(await books.post(path, { address: payer.address })).toMatchObject([200, { customer }]);
      const pay = async () => {
        const [status, answer] = await books.post('/customers/wallets/match');
        if (status !== 200) return answer;
        return books.stateOf([...invoices.values()][0]);
      };
      expect(await settled(pay, 'paid')).toBe('paid');
      expect(await balances(world)).toMatchObject({
        'unidentified-receipts': '-9999999',
        'conversion:usdc': '-10000000',
        'conversion:usd': '10000000',
      });
      expect((await books.reconcile()).filter((text) => !text.startsWith('unknown-inbound'))).toEqual([]);
      const inbound = await world.rows(
        `select amount::text from billing.break where class = 'unknown-inbound' and present`,
      );
      expect(inbound).toEqual([{ amount: '9999999' }]);
      const id = [...invoices.values()][0] ?? '';
      const match = (await paymentsOf(id))[0]?.['source']?.replace('match:', '') ?? '';
      const unmatch = async (why: string) => books.post('/customers/wallets/unmatch', { match, why });
      expect(await unmatch('')).toMatchObject([400, {}]);
      expect(await unmatch('for another service')).toMatchObject([200, { match, invoice: id }]);
      expect(await unmatch('again')).toMatchObject([409, { code: 'invoice/conflict' }]);
      expect(await books.stateOf(id)).toBe('final');
      expect(await paymentsOf(id)).toMatchObject([{ undoneBy: expect.any(String), why: 'for another service' }]);
      const after = await balances(world);
      expect(after).toMatchObject({ [`receivable:${customer}`]: '10000000', 'unidentified-receipts': '-19999999' });
      expect([after['conversion:usdc'], after['conversion:usd']]).toEqual([undefined, undefined]);
      // No rule takes it for the invoice again, and the money has to be explained.
      expect(await books.post('/customers/wallets/match')).toEqual([200, { items: [] }]);
      const found = await books.reconcile();
      expect(found.filter((text) => !text.startsWith('unknown-inbound'))).toEqual([]);
      expect(found).toHaveLength(2);
    } finally {
      await node.kill();
    }
  }, 60_000);
});

describe('what a customer owes', () => {
  it('is in the ageing by how long it is overdue, at any day, and agrees with the statement and the ledger', async () => {
    const { bank, customer, invoices } = await books.october('acct_1', 'acct_2', 'acct_3');
    world.clock.set('2026-11-20T00:00:00Z');
    await books.send(bank, '2026-11-19,4.00,Acme,KF-000001');
    expect(await books.post(`/invoices/${invoices.get('KF-000003')}/void`)).toMatchObject([200, {}]);
    const ageing = async (asOf: string) => {
      const { items } = (await service.call(`/reports/ageing?asOf=${asOf}`)).body as { items: readonly object[] };
      return items;
    };
    const none = { notDue: '0.000000', to30: '0.000000', to60: '0.000000', to90: '0.000000', over90: '0.000000' };
    const row = { customer, name: 'Acme', asset: 'USD', ...none };
    expect(await ageing('2026-11-01')).toEqual([]);
    expect(await ageing('2026-11-16')).toEqual([{ ...row, notDue: '30.000000', total: '30.000000' }]);
    expect(await ageing('2026-11-17')).toEqual([{ ...row, to30: '30.000000', total: '30.000000' }]);
    expect(await ageing('2026-12-16')).toEqual([{ ...row, to30: '16.000000', total: '16.000000' }]);
    expect(await ageing('2026-12-17')).toEqual([{ ...row, to60: '16.000000', total: '16.000000' }]);
    expect(await ageing('2027-02-14')).toEqual([{ ...row, to90: '16.000000', total: '16.000000' }]);
    expect(await ageing('2027-02-15')).toEqual([{ ...row, over90: '16.000000', total: '16.000000' }]);
    const path = `/reports/statement?customer=${customer}`;
    expect((await service.call(`${path}&from=2026-11-03&to=2026-11-30`)).body).toMatchObject({
      items: [
        { kind: 'opening', amount: null, balance: '30.000000' },
        { kind: 'void', document: 'KF-000003', amount: '-10.000000' },
        { kind: 'payment', document: 'KF-000001', amount: '-4.000000', balance: '16.000000' },
        { kind: 'closing', amount: null, balance: '16.000000' },
      ],
      next: null,
    });
    const csv = await service.call(`/reports/statement.csv?customer=${customer}&month=2026-11`);
    expect(csv.text.trim().split('\r\n')).toHaveLength(1 + 1 + 3 + 2 + 1);
    expect((await balances(world))[`receivable:${customer}`]).toBe('16000000');
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect((await service.call(`/reports/statement?customer=${nobody}`)).status).toBe(404);
  });
});
