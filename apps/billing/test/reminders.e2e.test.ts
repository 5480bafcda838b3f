import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { readPdf } from './read-pdf.js';
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

describe('a match of a bank payment', () => {
  it('that was wrong is undone, by whom and why: the invoice is to be paid again, and the money waits as before', async () => {
    const { bank, customer, invoices } = await books.october('acct_1', 'acct_2');
    const [first = '', second = ''] = invoices.values();
    await books.send(bank, '2026-11-05,10.00,Acme,KF-000001', '2026-11-06,4.00,Acme,KF-000002');
    const payments = (await service.call('/bank-payments')).body as { items: readonly { id: string }[] };
    const [whole, part] = payments.items;
    const matchOf = async (payment: string | undefined) => {
      const { items } = (await service.call(`/bank-payments/${payment}/matches`)).body as { items: readonly object[] };
      return items;
    };
    const [known] = (await matchOf(whole?.id)) as readonly { id: string }[];
    expect(known).toMatchObject({ invoice: first, number: 'KF-000001', rule: 'invoice-number', state: 'final' });
    const undo = (payment: string | undefined, match: string | undefined, token?: string) =>
      books.post(`/bank-payments/${payment}/unmatch`, { match, why: 'of another customer' }, token);
    const reader = await makeOperator(world, ['read', 'write']);
    expect(await undo(whole?.id, known?.id, reader)).toMatchObject([403, {}]);
    expect(await undo(part?.id, known?.id)).toMatchObject([404, { code: 'bank-payment/not-found' }]);
    world.clock.set('2026-11-20T00:00:00Z');
    expect(await undo(whole?.id, known?.id)).toMatchObject([200, { matched: '0.000000', state: 'open' }]);
    expect(await undo(whole?.id, known?.id)).toMatchObject([409, { code: 'bank-payment/conflict' }]);
    expect(await books.stateOf(first)).toBe('final');
    expect(await matchOf(whole?.id)).toMatchObject([
      { state: 'undone', why: 'of another customer', undoneAt: '2026-11-20T00:00:00.000Z' },
    ]);
    const audit = (await service.call(`/audit?subject=${whole?.id}`)).body;
    expect(audit).toMatchObject({ items: [{ action: 'bank-payment.unmatch', after: { why: 'of another customer' } }] });
    expect(await balances(world)).toMatchObject({
      [`receivable:${customer}`]: '16000000',
      'unidentified-bank': '-10000000',
    });
    const statement = await service.call(`/reports/statement?customer=${customer}&month=2026-11`);
    const { items: said } = statement.body as { items: readonly { document: string | null }[] };
    expect(said.filter(({ document }) => document === 'KF-000001')).toMatchObject([
      { kind: 'invoice', amount: '10.000000' },
      { kind: 'payment', amount: '-10.000000' },
      { kind: 'payment-undone', amount: '10.000000' },
    ]);
    expect(said.at(-1)).toMatchObject({ kind: 'closing', balance: '16.000000' });
    // It pays the right one then, and the invoice by another payment.
    expect(await books.post(`/bank-payments/${whole?.id}/match`, { invoice: second })).toMatchObject([
      200,
      { state: 'open' },
    ]);
    expect(await books.post(`/bank-payments/${whole?.id}/match`, { invoice: first })).toMatchObject([
      200,
      { state: 'matched' },
    ]);
    expect(await Promise.all([first, second].map(books.stateOf))).toEqual(['partially_paid', 'paid']);
    expect(await books.reconcile()).toEqual([]);
    await expect(
      world.sql.query({ text: `update billing.invoice set state = 'final', paid = 0` }),
    ).rejects.toMatchObject({
      code: 'KF002',
    });
  });

  it('in a locked month is undone in the first open one; what was given up meanwhile is not', async () => {
    const { bank, customer, invoices } = await books.october('acct_1');
    const [invoice = ''] = invoices.values();
    await books.send(bank, '2026-11-05,4.00,Acme,KF-000001');
    await world.rows(
      `insert into billing.accounting_month (month, locked_at, locked_by) values ('2026-11-01', now(), 'ann')`,
    );
    world.clock.set('2026-12-03T00:00:00Z');
    const [payment] = await books.open();
    expect(payment).toBeUndefined();
    const { items } = (await service.call('/bank-payments')).body as { items: readonly { id: string }[] };
    const path = `/bank-payments/${items[0]?.id}`;
    const matches = (await service.call(`${path}/matches`)).body as { items: readonly { id: string }[] };
    const request = { match: matches.items[0]?.id, why: 'twice' };
    expect(await books.post(`${path}/unmatch`, request)).toMatchObject([200, { state: 'open' }]);
    const undone = `select j.kind, j.effective_at from billing.journal j where j.kind = 'reversal'`;
    expect(await world.rows(undone)).toEqual([{ kind: 'reversal', effective_at: new Date('2026-12-01T00:00:00Z') }]);
    const owed = async (asOf: string) => {
      const ageing = (await service.call(`/reports/ageing?asOf=${asOf}`)).body as {
        items: readonly { total: string }[];
      };
      return ageing.items[0]?.total;
    };
    expect([await owed('2026-11-30'), await owed('2026-12-01')]).toEqual(['6.000000', '10.000000']);
    expect((await balances(world))[`receivable:${customer}`]).toBe('10000000');
    expect(await books.post(`${path}/match`, { invoice })).toMatchObject([200, { state: 'matched' }]);
    expect(await books.post(`/invoices/${invoice}/uncollectible`)).toMatchObject([200, {}]);
    const again = (await service.call(`${path}/matches`)).body as { items: readonly { id: string }[] };
    expect(await books.post(`${path}/unmatch`, { match: again.items[1]?.id, why: 'twice' })).toMatchObject([
      409,
      { code: 'invoice/conflict' },
    ]);
    await service.app.get(DraftsJob).run();
    expect(await books.reconcile()).toEqual([]);
  });
});

describe('a bank payment that names no invoice', () => {
  it('has proposals by amount, name and who paid before, with a confidence and its reasons; none is matched', async () => {
    const { bank, customer } = await books.october('acct_1', 'acct_2');
    await books.send(
      bank,
      '2026-11-05,4.00,ACME INC,KF-000001',
      '2026-11-06,6.00,ACME INC,thanks',
      '2026-11-07,16.00,who,?',
    );
    const { items } = (await service.call('/bank-payments/proposals')).body as {
      items: readonly { payment: { id: string }; proposals: readonly object[] }[];
    };
    expect(items.map(({ proposals }) => proposals)).toMatchObject([
      [
        {
          customer,
          customerName: 'Acme',
          invoices: [{ number: 'KF-000001', amount: '6.000000' }],
          confidence: 99,
          reasons: ['amount', 'name', 'known-payer'],
        },
        { invoices: [{ number: 'KF-000002', amount: '6.000000' }], confidence: 70, reasons: ['name', 'known-payer'] },
      ],
      [{ invoices: [{ number: 'KF-000001' }, { number: 'KF-000002' }], confidence: 40, reasons: ['sum'] }],
    ]);
    const one = await service.call(`/bank-payments/${items[0]?.payment.id}/proposals`);
    expect(one.body).toEqual({ items: items[0]?.proposals });
    expect((await books.open()).map(({ matched }) => matched)).toEqual(['0.000000', '0.000000']);
  });
});

describe('a reminder', () => {
  it('is written for each level of an invoice once, as the customer speaks; a preview writes none, and nothing is sent', async () => {
    const { bank, customer } = await books.october('acct_1', 'acct_2');
    const run = (body: object = {}) => books.post('/reminders/run', { preview: false, ...body });
    const none = { items: [], total: '0.000000', remaining: 0 };
    world.clock.set('2026-11-22T12:00:00Z');
    expect(await run()).toMatchObject([200, none]);
    world.clock.set('2026-11-23T12:00:00Z');
    await books.send(bank, '2026-11-20,4.00,Acme,KF-000001');
    const [, preview] = await books.post('/reminders/run');
    const letter = { customer, customerName: 'Acme', level: 1, language: 'en', total: '16.000000' };
    const invoices = [
      { number: 'KF-000001', level: 1, dueOn: '2026-11-16', outstanding: '6.000000' },
      { number: 'KF-000002', level: 1, dueOn: '2026-11-16', outstanding: '10.000000' },
    ];
    expect(preview).toMatchObject({ preview: true, total: '16.000000', items: [{ ...letter, invoices }] });
    expect((await service.call('/reminders')).body).toEqual({ items: [], next: null });
    const both = await Promise.all([run(), run()]);
    expect(both.map(([, { items }]) => (items as readonly object[]).length).toSorted((a, b) => a - b)).toEqual([0, 1]);
    const { items } = (await service.call(`/reminders?customer=${customer}`)).body as {
      items: readonly { id: string; body: string }[];
    };
    expect(items).toMatchObject([{ ...letter, invoices }]);
    const [written] = items;
    const text = await service.call(`/reminders/${written?.id}/text`);
    expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(text.text).toBe(written?.body);
    expect(text.text).toContain('Invoice KF-000001, due on 2026-11-16 (7 days ago): 6.00 USD');
    const pdf = await fetch(`${service.url}/reminders/${written?.id}/pdf`, {
      headers: { authorization: `Bearer ${service.token}` },
    });
    expect((await readPdf(Buffer.from(await pdf.arrayBuffer()))).text).toContain(
      'Payment reminder: KF-000001, KF-000002',
    );
    expect((await service.call(`/audit?subject=${written?.id}`)).body).toMatchObject({
      items: [{ action: 'reminder.create', after: { level: 1 } }],
    });
    // The next level, fourteen days on, is about what is open then, in the customer's language of then.
    const headers = { 'if-match': '*' };
    await service.call(`/customers/${customer}`, { method: 'PATCH', body: { language: 'de-AT' }, headers });
    await books.send(bank, '2026-12-01,6.00,Acme,KF-000001');
    world.clock.set('2026-12-06T12:00:00Z');
    expect(await run()).toMatchObject([200, none]);
    world.clock.set('2026-12-07T12:00:00Z');
    expect(await run()).toMatchObject([
      200,
      { items: [{ level: 2, language: 'de', subject: 'Mahnung: KF-000002', total: '10.000000' }] },
    ]);
    const token = await makeOperator(world, ['read', 'write']);
    expect(await books.post('/reminders/run', {}, token)).toMatchObject([403, {}]);
    expect((await service.call('/reminders/x')).status).toBe(404);
  });
});
