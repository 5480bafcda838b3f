import { verifyReceipt } from '@keyfare/core/receipt';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Market, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import { makeOperator, type Service, settled, startService } from './service.js';

let market: Market;
let service: Service;

beforeAll(async () => {
  market = await openMarket();
  service = await startService(market.world, { RPC_URL: market.node.rpcUrl });
}, 60_000);
afterAll(async () => {
  await service.close();
  await market.close();
});

type Call = Awaited<ReturnType<Service['call']>>;

/** The entry, when billing has read it. */
async function read(id: string): Promise<Call> {
  await settled(async () => (await service.call(`/entries/${id}`)).status, 200);
  return service.call(`/entries/${id}`);
}

describe('one entry of the log', () => {
  it('by key: its receipt as it was signed, its charge, its journal and its invoice', async () => {
    const { log, clock } = market.world;
    const terms = await log.terms('acct_1', { includedUnits: '1', accountName: 'Acme' });
    const id = await log.keyCall('acct_1', { units: 3 });
    const { body: before } = await read(id);
    expect(before).toMatchObject({ invoice: null });
    const month = clock().toISOString().slice(0, 7);
    const invoice = await service.call('/invoices', { body: { account: 'acct_1', month } });
    const { body, status } = await service.call(`/entries/${id.toUpperCase()}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      place: '2',
      kind: 'call',
      rail: 'key',
      account: { id: 'acct_1', name: 'Acme' },
      keyId: log.signer.kid,
      refused: null,
      charge: {
        sku: 'forecast',
        units: '3',
        included: '1',
        overage: '2',
        unitPrice: '0.000250',
        asset: 'USD',
        amount: '0.000500',
        month,
      },
      payment: null,
      matches: [],
      journals: [
        {
          kind: 'call',
          source: `call:${id}`,
          reverses: null,
          movements: [
            { debit: 'unbilled-receivable:acct_1', credit: 'revenue:key:forecast', asset: 'USD', amount: '0.000500' },
          ],
        },
      ],
      invoice: { id: (invoice.body as { id: string }).id, number: null, state: 'draft', month },
      breaks: [],
    });
    const { receipt } = body as { receipt: string };
    expect(verifyReceipt(receipt, { keys: log.keys })).toMatchObject({ ok: true, payload: { id } });
    expect((await service.call(`/entries/${terms}`)).body).toMatchObject({
      kind: 'terms',
      rail: null,
      account: { id: 'acct_1', name: 'Acme' },
      charge: null,
      journals: [],
      invoice: null,
    });
  });

  it('that a wallet paid: its payment, the transfer that it is matched with, and the journals of both', async () => {
    const { node, payer, world } = market;
    const [payment] = await settle(node, [{ payer, payTo, amount: 1_000n }]);
    if (payment === undefined) throw new Error('nothing was settled');
    const id = await world.log.paidCall(payment);
    await read(id);
    const matched = async (): Promise<number> =>
      ((await service.call(`/entries/${id}`)).body as { matches: object[] }).matches.length;
    expect(await settled(matched, 1)).toBe(1);
    const { body } = await service.call(`/entries/${id}`);
    expect(body).toMatchObject({
      rail: 'x402',
      account: null,
      charge: { asset: 'USDC', amount: '0.001000' },
      payment: {
        payer: payment.payer,
        nonce: payment.nonce,
        asset: 'USDC',
        amount: '0.001000',
        entries: [{ id, outcome: 'settled', transaction: payment.transaction, reason: null }],
      },
      matches: [
        {
          rule: 'authorization',
          asset: 'USDC',
          amount: '0.001000',
          transfer: { transaction: payment.transaction, block: expect.stringMatching(/^\d+$/), amount: '0.001000' },
        },
      ],
    });
    const { journals } = body as { journals: { source: string }[] };
    const transfers = journals.filter(({ source }) => source.startsWith('transfer:'));
    // Two where the transfer was read first: it is identified later.
    expect([1, 2]).toContain(transfers.length);
    expect(journals.length).toBe(transfers.length + 1);
  });

  it('that was refused: why, and the open breaks that name it; nothing of it is in the books', async () => {
    const id = await market.world.log.keyCall('acct_unknown');
    await read(id);
    await service.reconcile();
    const { body } = await service.call(`/entries/${id}`);
    expect(body).toMatchObject({
      refused: { fault: 'terms-missing', detail: expect.any(String) },
      account: { id: 'acct_unknown', name: null },
      charge: null,
      journals: [],
      invoice: null,
    });
    const { breaks } = body as { breaks: { class: string }[] };
    expect(breaks.map(({ class: name }) => name)).toContain('terms-missing');
  });

  it('that is none is 404, and who may not read is not told', async () => {
    for (const id of ['nothing', '00000000-0000-0000-0000-000000000000', "x'--"]) {
      expect(await service.call(`/entries/${encodeURIComponent(id)}`)).toMatchObject({
        status: 404,
        body: { code: 'entry/not-found' },
      });
    }
    expect((await service.call('/entries/nothing', { token: null })).status).toBe(401);
    expect(
      (await service.call('/entries/nothing', { token: await makeOperator(market.world, ['money']) })).status,
    ).toBe(403);
  });
});
