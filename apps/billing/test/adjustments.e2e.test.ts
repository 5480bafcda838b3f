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
  books = await openReceivables({ INVOICE_APPROVAL_ABOVE: '100' });
  ({ world, service } = books);
}, 60_000);
afterEach(async () => books.close());

const adjustment = { account: 'acct_1', kind: 'credit', amount: '2.50', description: 'Outage', why: 'ticket 7' };

async function finalize(month: string): Promise<readonly Record<string, unknown>[]> {
  const [status, { items }] = await books.post('/invoices/finalize', { month, preview: false });
  expect(status).toBe(200);
  return items as readonly Record<string, unknown>[];
}

async function linesOf(month: string): Promise<readonly (readonly [string, string])[]> {
  const list = (await service.call(`/invoices?account=acct_1&month=${month}`)).body as { items: { id: string }[] };
  const { lines } = (await service.call(`/invoices/${list.items[0]?.id}`)).body as {
    lines: readonly { kind: string; description: string; amount: string }[];
  };
  return lines.flatMap((line) => (line.kind === 'adjustment' ? [[line.description, line.amount] as const] : []));
}

async function stateOf(id: unknown): Promise<unknown> {
  return ((await service.call(`/adjustments/${String(id)}`)).body as { state: string }).state;
}

describe('an adjustment', () => {
  it('is a line of the next invoice, with who and why, and in the ledger; a void frees it, a credit note takes it back', async () => {
    const customer = await books.drafts('acct_1');
    const reader = await makeOperator(world, ['read', 'write']);
    expect(await books.post('/adjustments', adjustment, reader)).toMatchObject([403, {}]);
    expect(await books.post('/adjustments', { ...adjustment, account: 'acct_9' })).toMatchObject([404, {}]);
    const [status, made] = await books.post('/adjustments', adjustment);
    expect([status, made]).toMatchObject([
      201,
      { month: '2026-10', state: 'open', why: 'ticket 7', invoiced: '0.000000' },
    ]);
    const other = { ...adjustment, kind: 'debit', amount: '4', description: 'Setup' };
    const [, withdrawn] = await books.post('/adjustments', { ...other, description: 'Typo' });
    expect(await books.post(`/adjustments/${String(withdrawn['id'])}/withdraw`)).toMatchObject([
      200,
      { state: 'withdrawn' },
    ]);
    await books.post('/adjustments', other);
    const lines = [
      ['Charge: Setup', '4.000000'],
      ['Credit: Outage', '-2.500000'],
    ];
    expect(await linesOf('2026-10')).toEqual(lines);
    const rows = await books.focus('acct_1', '2026-10');
    expect(rows).toEqual(
      expect.arrayContaining([
        ['Adjustment', 4_000_000n],
        ['Credit', -2_500_000n],
      ]),
    );
    const [final] = await finalize('2026-10');
    expect(final).toMatchObject({ number: 'KF-000001', payable: '11.50' });
    expect((await service.call(`/adjustments/${String(made['id'])}`)).body).toMatchObject({
      state: 'invoiced',
      invoiced: '2.500000',
      invoices: [final?.['id']],
    });
    expect(await books.post(`/adjustments/${String(made['id'])}/withdraw`)).toMatchObject([
      409,
      { code: 'adjustment/conflict' },
    ]);
    expect(await balances(world)).toMatchObject({ adjustments: '-1500000', [`receivable:${customer}`]: '11500000' });
    expect(await books.post(`/invoices/${String(final?.['id'])}/void`)).toMatchObject([200, { state: 'void' }]);
    expect(await stateOf(made['id'])).toBe('open');
    expect((await balances(world))['adjustments']).toBeUndefined();
    expect(await linesOf('2026-10')).toEqual(lines);
    const [again] = await finalize('2026-10');
    const path = `/invoices/${String(again?.['id'])}`;
    // Line 4 is the credit: the rest of the invoice is less than its other lines.
    const tooMuch = {
      reason: 'wrong',
      lines: [
        { line: 2, amount: '10' },
        { line: 3, amount: '4' },
      ],
    };
    expect(await books.post(`${path}/credit-notes`, tooMuch)).toMatchObject([409, { code: 'credit-note/too-much' }]);
    expect(await books.post(`${path}/credit-notes`, { reason: 'wrong' })).toMatchObject([200, { total: '11.50' }]);
    expect((await balances(world))[`receivable:${customer}`]).toBeUndefined();
    const note = ((await service.call(`${path}/credit-notes`)).body as { items: { id: string }[] }).items[0];
    const xml = await service.call(`${path}/credit-notes/${note?.id}/xml`);
    expect((xml.body as { code?: string } | undefined)?.code ?? xml.status).toBe('invoice/no-e-invoice');
    expect((await service.call(`${path}/pdf`)).status).toBe(200);
    await service.app.get(DraftsJob).run();
    expect(await books.reconcile()).toEqual([]);
    expect((await proveBooks(world)).differences).toEqual([]);
  });

  it('of more than the invoice takes it to nothing, and the rest from the next; then nothing is to be paid', async () => {
    await books.drafts('acct_1');
    const [, made] = await books.post('/adjustments', { ...adjustment, amount: '15' });
    expect(await finalize('2026-10')).toMatchObject([{ number: 'KF-000001', payable: '0.00' }]);
    const paid = (await service.call('/invoices?month=2026-10')).body as { items: readonly object[] };
    expect(paid.items).toMatchObject([{ state: 'paid', outstanding: '0.000000' }]);
    expect(await stateOf(made['id'])).toBe('open');
    world.clock.set('2026-12-02T03:00:00Z');
    await books.reconcile();
    await service.app.get(DraftsJob).run();
    expect(await linesOf('2026-11')).toEqual([['Credit: Outage, 4.999750 of 15.00 USD', '-4.999750']]);
    expect(await finalize('2026-11')).toMatchObject([{ payable: '5.00' }]);
    expect(await stateOf(made['id'])).toBe('invoiced');
    expect(await books.reconcile()).toEqual([]);
  });

  it('over the limit waits for another operator; what an earlier invoice missed is on the next one', async () => {
    await books.drafts('acct_1');
    const [, made] = await books.post('/adjustments', { ...adjustment, kind: 'debit', amount: '100.01' });
    const id = String(made['id']);
    expect(made).toMatchObject({ state: 'waiting', month: '2026-10' });
    expect(await finalize('2026-10')).toMatchObject([{ payable: '10.00' }]);
    expect(await books.post(`/adjustments/${id}/approve`)).toMatchObject([409, { code: 'adjustment/conflict' }]);
    const second = await makeOperator(world);
    expect(await books.post(`/adjustments/${id}/approve`, {}, second)).toMatchObject([200, { state: 'open' }]);
    expect(await books.post(`/adjustments/${id}/approve`, {}, second)).toMatchObject([409, {}]);
    // November is running: its draft has the line already.
    expect(await linesOf('2026-11')).toEqual([['Charge: Outage', '100.010000']]);
    expect((await service.call('/adjustments?state=open')).body).toMatchObject({
      items: [{ id, approvedBy: expect.any(String) }],
    });
    await expect(world.sql.query({ text: 'update billing.adjustment set amount = 1' })).rejects.toMatchObject({
      code: 'KF002',
    });
  });

  it('for an account that is idle makes its invoice, at night', async () => {
    await world.log.terms('acct_2', { monthlyPrice: '0' });
    await books.drafts('acct_1');
    const debit = { ...adjustment, account: 'acct_2', kind: 'debit', month: '2026-11' };
    expect(await books.post('/adjustments', { ...debit, month: '2026-12' })).toMatchObject([201, { state: 'open' }]);
    world.clock.set('2027-01-02T03:00:00Z');
    await books.reconcile();
    await service.app.get(DraftsJob).run();
    expect((await service.call('/invoices?account=acct_2')).body).toMatchObject({
      items: [{ month: '2026-12', total: '2.500000', receipts: '0' }],
    });
  });

  it('that is paid ahead is deferred, and later invoices draw on it until nothing is left', async () => {
    const customer = await books.drafts('acct_1');
    const [, made] = await books.post('/adjustments', {
      ...adjustment,
      kind: 'prepaid',
      amount: '16',
      description: 'Year',
    });
    expect(made).toMatchObject({ kind: 'prepaid', state: 'open' });
    const [bought] = await finalize('2026-10');
    expect(bought).toMatchObject({ payable: '26.00' });
    expect(await balances(world)).toMatchObject({
      'prepaid:acct_1': '-16000000',
      [`receivable:${customer}`]: '26000000',
    });
    for (const [month, payable, left] of [
      ['2026-11', '0.00', '-6000000'],
      ['2026-12', '4.00', undefined],
    ] as const) {
      world.clock.set(month === '2026-11' ? '2026-12-02T03:00:00Z' : '2027-01-02T03:00:00Z');
      await books.reconcile();
      await service.app.get(DraftsJob).run();
      expect(await finalize(month)).toMatchObject([{ payable }]);
      expect((await balances(world))['prepaid:acct_1']).toBe(left);
      const rows = await books.focus('acct_1', month);
      expect(rows.map(([category]) => category)).toContain('Credit');
      expect(rows.reduce((sum, [, cost]) => sum + cost, 0n)).toBe(BigInt(payable.replace('.', '')) * 10_000n);
    }
    const statement = await service.call(
      '/reports/general-ledger?ledgerAccount=prepaid:acct_1&from=2026-10-01&to=2027-01-31',
    );
    const { items } = statement.body as { items: readonly { balance: string }[] };
    expect(items.map(({ balance }) => balance)).toEqual([
      '0.000000',
      '-16.000000',
      '-6.000000',
      '0.000000',
      '0.000000',
    ]);
    // What was used cannot be given back.
    const path = `/invoices/${String(bought?.['id'])}`;
    expect(await books.post(`${path}/void`)).toMatchObject([409, { code: 'invoice/conflict' }]);
    const back = { reason: 'back', lines: [{ line: 3, amount: '0.01' }] };
    expect(await books.post(`${path}/credit-notes`, back)).toMatchObject([409, { code: 'credit-note/too-much' }]);
    expect(await books.post(`${path}/credit-notes`, { ...back, lines: [{ line: 2, amount: '1' }] })).toMatchObject([
      200,
      {},
    ]);
    // A draw that is given back can be used again.
    const december = (await service.call('/invoices?month=2026-12')).body as { items: { id: string }[] };
    expect(await books.post(`/invoices/${december.items[0]?.id}/credit-notes`, { reason: 'all' })).toMatchObject([
      200,
      { total: '4.00' },
    ]);
    expect((await balances(world))['prepaid:acct_1']).toBe('-6000000');
    expect(await books.reconcile()).toEqual([]);
    expect((await proveBooks(world)).differences).toEqual([]);
  });
});
