import { DatabaseUnavailable } from '@keyfare/db/sql';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import type { TestPayer } from '@keyfare/devstack/payers';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { randomNonce } from './log-documents.js';
import { goodBusiness, type Market, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import type { World } from './world.js';

let market: Market;
let world: World;
let node: LocalChain;
let payer: TestPayer;

beforeEach(async () => {
  market = await openMarket();
  ({ world, node, payer } = market);
}, 60_000);
afterEach(async () => market.close());

describe('clean books', () => {
  it('show no break, and every figure of the report is right', async () => {
    await goodBusiness(market);
    const { report } = await market.run();
    expect(await market.openBreaks()).toEqual([]);
    expect(report).toMatchObject({
      entries: { complete: true, good: 14, bad: 0 },
      calls: [
        { rail: 'key', count: 8, units: '12', asset: 'USD', amount: '0.001750' },
        { rail: 'x402', count: 3, units: '3', asset: 'USDC', amount: '0.004200' },
      ],
      payments: [{ status: 'matched', count: 3, recorded: '0.004200', settled: '0.004200' }],
      unpaid: { count: 1, amount: '0.000900' },
      chain: {
        state: 'current',
        opening: '0.000000',
        in: '0.004200',
        out: '0.000100',
        explained: '0.004100',
        balance: '0.004100',
      },
      breaks: [],
      unchecked: [],
    });
    for (const asset of ['USD', 'USDC']) {
      const sum = report.ledger
        .filter((line) => line.asset === asset)
        .reduce((total, { balance }) => total + Number(balance) * 1e6, 0);
      expect(Math.round(sum)).toBe(0);
    }
  });

  it('give the same report, to the byte, when they are reconciled again', async () => {
    await goodBusiness(market);
    await world.log.paidCall({ payer: payer.address, payTo, at: new Date(world.clock().getTime() - 3_600_000) });
    await node.mine(1);
    const first = await market.run();
    const before = await world.rows('select * from billing.break');
    world.clock.advance(1_000);
    const second = await market.run();
    expect(second.digest).toEqual(first.digest);
    expect(second.report).toEqual(first.report);
    const after = await world.rows<{ last_seen: Date }>('select * from billing.break');
    expect(before).toHaveLength(1);
    const [seen] = after;
    expect(after).toEqual([{ ...before[0], last_seen: world.clock(), run_id: second.id }]);
    expect(seen?.last_seen).toEqual(world.clock());
  });

  it('stay clean while calls and payments go on under the reconciliation', async () => {
    await goodBusiness(market);
    const stopping = new AbortController();
    const traffic = (async () => {
      while (!stopping.signal.aborted) {
        await world.log.keyCall('acct_1');
        const [payment] = await settle(node, [{ payer, payTo, amount: 10n }]);
        if (payment !== undefined) await world.log.paidCall(payment);
      }
    })();
    const found: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const { report } = await market.run();
      expect(report.unchecked).toEqual([]);
      found.push(...(await market.openBreaks()));
    }
    stopping.abort();
    await traffic;
    expect(found).toEqual([]);
  }, 60_000);

  it('are read once for all who ask while a run goes on, whichever process they ask', async () => {
    await goodBusiness(market);
    const [second, third] = [market.books(), market.books()];
    // Connected already: whoever comes when the run has ended has one of its own.
    await Promise.all([second, third].map(async ({ sql }) => sql.query({ text: 'select 1' })));
    const runs = await Promise.all([
      market.run(),
      market.run(),
      second.reconcileJob.run('schedule'),
      third.reconcileJob.run('manual'),
    ]);
    expect(runs[1]?.id).toBe(runs[0]?.id);
    expect(new Set(runs.map(({ digest }) => digest.toString('hex'))).size).toBe(1);
    expect(await market.openBreaks()).toEqual([]);
    expect(await world.rows('select count(*)::int as n from billing.reconciliation')).toEqual([{ n: 1 }]);
  });
});

describe('what is under way is no break', () => {
  it('a transfer whose entry is not there yet, for the grace', async () => {
    await settle(node, [{ payer, payTo, amount: 500n }]);
    world.clock.advance(30_000);
    const { report } = await market.run();
    expect(await market.openBreaks()).toEqual([]);
    expect(report.payments).toEqual([
      { status: 'awaiting-record', count: 1, recorded: '0.000000', settled: '0.000500' },
    ]);
  });

  it('an entry whose transfer the node does not show yet, until the chain is past it', async () => {
    await world.log.paidCall({ payer: payer.address, payTo });
    const { report } = await market.run();
    expect(report.payments).toEqual([
      { status: 'awaiting-settlement', count: 1, recorded: '0.001000', settled: '0.000000' },
    ]);
    world.clock.advance(61_000);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    // An idle chain makes no block past the entry; it is not waited for without end.
    world.clock.advance(600_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 1000']);
  });

  it('a payment whose block was orphaned, for the grace', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 800n }]);
    if (payment === undefined) throw new Error('no payment');
    await world.log.paidCall({ ...payment, at: new Date(world.clock().getTime() - 600_000) });
    await market.run();
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    const { report } = await market.run();
    expect(report.payments).toMatchObject([{ status: 'awaiting-settlement' }]);
    expect(await market.openBreaks()).toEqual([]);
    world.clock.advance(61_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 800']);
    await settle(node, [{ payer, payTo, amount: 800n, nonce: payment.nonce }]);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
  });

  it('anything at all, while the log cannot be read: transfers wait for it however old they become', async () => {
    await goodBusiness(market);
    await market.run();
    await settle(node, [{ payer, payTo, amount: 500n }]);
    const deaf = market.books({
      feed: () => async () => {
        throw new DatabaseUnavailable(undefined, { inDoubt: false });
      },
    });
    world.clock.advance(3_600_000);
    const { report } = await deaf.reconcileJob.run('manual');
    expect(report.entries.complete).toBe(false);
    expect(report.unchecked).toEqual(['terms-mismatch', 'meter-mismatch']);
    expect(report.payments).toContainEqual(expect.objectContaining({ status: 'awaiting-record', count: 1 }));
    expect(await market.openBreaks()).toEqual(['intake-stalled']);
  });

  it('anything at all, while the chain cannot be reached: the report says as of which block', async () => {
    await goodBusiness(market);
    const { report: before } = await market.run();
    await world.log.paidCall({ payer: payer.address, payTo });
    const cut = market.books({ env: { RPC_URL: 'http://127.0.0.1:9' } });
    world.clock.advance(3_600_000);
    const { report } = await cut.reconcileJob.run('manual');
    expect(report.chain).toMatchObject({ state: 'unavailable', block: before.chain.block, balance: null });
    expect(report.unchecked).toEqual(['balance-mismatch']);
    expect(await market.openBreaks()).toEqual(['chain-stalled']);
  });

  it('a payment of a wallet that no node has ever shown', async () => {
    const cut = market.books({ env: { RPC_URL: 'http://127.0.0.1:9' } });
    await world.log.paidCall({ payer: payer.address, payTo });
    world.clock.advance(3_600_000);
    const { report } = await cut.reconcileJob.run('manual');
    expect(report.chain).toMatchObject({ state: 'unavailable', block: null });
    expect(report.unchecked).toEqual(['balance-mismatch']);
    expect(await market.openBreaks()).toEqual(['chain-stalled']);
  });
});

it('what matched and what did not come, together, to what each side has', async () => {
  const settled = await goodBusiness(market);
  const [lost, wrong] = await settle(node, [
    { payer, payTo, amount: 333n },
    { payer, payTo, amount: 44n },
  ]);
  if (wrong === undefined || lost === undefined) throw new Error('no payments');
  await world.log.paidCall({ ...wrong, amount: 45n });
  await world.log.paidCall({ payer: payer.address, payTo, amount: 77n, nonce: randomNonce() });
  world.clock.advance(120_000);
  const { report } = await market.run();
  const sum = (side: 'recorded' | 'settled'): bigint =>
    report.payments.reduce((total, row) => total + BigInt(row[side].replace('.', '')), 0n);
  const [sides] = await world.rows<{ recorded: string; settled: string }>(
    `select (select sum(amount) from billing.payment where outcome = 'settled')::text as recorded,
       (select sum(value) from billing.chain_transfer where nonce is not null and orphaned_at is null)::text as settled`,
  );
  expect([sum('recorded'), sum('settled')]).toEqual([BigInt(sides?.recorded ?? 0), BigInt(sides?.settled ?? 0)]);
  expect(settled).toHaveLength(2);
});
