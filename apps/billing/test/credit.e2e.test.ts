import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer, usdcDomain } from '@keyfare/devstack/payers';
import { installUsdc, usdcAbi, usdcAddress } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Address, encodeFunctionData, type Hex } from 'viem';
import { readBillingConfig } from '../src/config.js';
import { settlementsTable } from '../src/reports/settlements.js';
import { randomNonce } from './log-documents.js';
import { type Market, openMarket, payTo } from './market.js';
import { type Settled, settle, transferData } from './payments.js';
import { balances, type World } from './world.js';

const network = 'eip155:84532';
const cash = `usdc:${network}:${payTo}`;
const credit = `deferred-receivable:${network}`;
const expected = `x402-receivable:${network}`;
const earned = 'revenue:x402:forecast';
const day = 86_400_000;
let market: Market;
let world: World;
let node: LocalChain;
let payer: TestPayer;

beforeEach(async () => {
  market = await openMarket();
  ({ world, node, payer } = market);
}, 60_000);
afterEach(async () => market.close());

/** Payments of a payer that are not on the chain yet. */
function promised(
  ...amounts: readonly bigint[]
): readonly { payer: TestPayer; payTo: string; amount: bigint; nonce: Hex }[] {
  return amounts.map((amount) => ({ payer, payTo, amount, nonce: randomNonce() as Hex }));
}

/** What the log says of a payment before it is settled. */
function named({ amount, nonce }: { amount: bigint; nonce: Hex }): {
  payer: string;
  payTo: string;
  amount: bigint;
  nonce: Hex;
} {
  return { payer: payer.address, payTo, amount, nonce };
}

/** The settlements report, by nonce. */
async function report(): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const { network: chain, payTo: wallet, reconcileGraceSeconds: graceSeconds } = readBillingConfig(world.env);
  const period = { start: new Date(0), end: new Date('2100-01-01T00:00:00Z') };
  const judgement = { graceSeconds, entriesCompleteAsOf: null, network: chain, payTo: wallet };
  const { statement, view } = settlementsTable(period, judgement);
  const rows = await world.sql.query<never>(statement);
  return new Map(rows.map((row) => [view(row).nonce, view(row)]));
}

async function feeOf(transaction: Hex): Promise<bigint> {
  const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [transaction])) as Record<string, Hex>;
  return BigInt(receipt['gasUsed'] ?? 0) * BigInt(receipt['effectiveGasPrice'] ?? 0);
}

function first(settled: readonly Settled[]): Settled {
  const [payment] = settled;
  if (payment === undefined) throw new Error('no payment');
  return payment;
}

describe('a call that is served on credit', () => {
  it('earns at once, is owed until the chain has its money, and is explained by the settlement that names it', async () => {
    const calls = promised(1_000n, 2_000n, 700n);
    const ids: string[] = [];
    for (const call of calls) ids.push(await world.log.paidCall({ ...named(call), deferred: true }));
    await market.run();
    expect(await balances(world)).toEqual({ [credit]: '3700', [earned]: '-3700' });
    expect(await market.openBreaks()).toEqual([]);
    const settled = await settle(node, calls);
    for (const [index, payment] of settled.entries()) await world.log.settlement(ids[index] ?? '', payment);
    const run = await market.run();
    expect(await balances(world)).toEqual({ [cash]: '3700', [earned]: '-3700' });
    expect(run.report.payments).toEqual([{ status: 'matched', count: 3, recorded: '0.003700', settled: '0.003700' }]);
    expect(await market.openBreaks()).toEqual([]);
  });

  it('is explained one by one though one transaction moved many: each has its share of the gas, and the shares are all of it', async () => {
    const calls = promised(1n, 2n, 3n);
    for (const call of calls) {
      const id = await world.log.paidCall({ ...named(call), deferred: true });
      await world.log.settlement(id, { ...named(call), transaction: `0x${'0'.repeat(64)}` });
    }
    const { transaction } = first(await settle(node, calls));
    await market.run();
    const rows = [...(await report()).values()];
    expect(rows.map(({ status, flow, payments, settled }) => [status, flow, payments, settled])).toEqual(
      expect.arrayContaining(
        ['0.000001', '0.000002', '0.000003'].map((amount) => ['matched', 'deferred', '3', amount]),
      ),
    );
    expect(new Set(rows.map((row) => row['transaction']))).toEqual(new Set([transaction]));
    const shares = rows.map(({ gasShare }) => BigInt(String(gasShare)));
    expect(shares.reduce((sum, share) => sum + share, 0n)).toBe(await feeOf(transaction));
  });

  it('stays owed when its row of the batch failed, and the rest of the batch is settled', async () => {
    const poor = testPayer(7);
    const good = promised(500n, 600n);
    const bad = { payer: poor, payTo, amount: 900n, nonce: randomNonce() as Hex };
    for (const call of good) {
      const id = await world.log.paidCall({ ...named(call), deferred: true });
      await world.log.settlement(id, named(call));
    }
    const failed = await world.log.paidCall({ ...bad, payer: poor.address, deferred: true });
    await settle(node, [...good.slice(0, 1), bad, ...good.slice(1)], { allowFailure: true });
    await market.run();
    expect(await balances(world)).toEqual({ [cash]: '1100', [credit]: '900', [earned]: '-2000' });
    expect((await report()).get(bad.nonce)).toMatchObject({ status: 'deferred', settled: null, payments: null });
    await world.log.unpaidCall({ ...bad, payer: poor.address, call: failed, reason: 'payment/insufficient-funds' });
    await market.run();
    expect(await balances(world)).toEqual({ [cash]: '1100', [earned]: '-2000', uncollected: '900' });
    expect(await market.openBreaks()).toEqual(['uncollectable: 900']);
  });

  it('that nobody collects or gives up within the life of a payment is a break: deferred-overdue', async () => {
    const [call] = promised(800n);
    if (call === undefined) throw new Error('no call');
    const id = await world.log.paidCall({ ...named(call), deferred: true });
    world.clock.advance(day);
    await market.run();
    expect((await market.openBreaks()).filter((text) => !text.includes('stalled'))).toEqual([]);
    world.clock.advance(120_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['deferred-overdue: 800']);
    const [payment] = await settle(node, [call]);
    if (payment !== undefined) await world.log.settlement(id, payment);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
  });

  it('whose money came in without an entry that says so is a break, until the entry comes: settled-not-recorded', async () => {
    const [call] = promised(800n);
    if (call === undefined) throw new Error('no call');
    const id = await world.log.paidCall({ ...named(call), deferred: true });
    const payment = first(await settle(node, [call]));
    world.clock.advance(120_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['settled-not-recorded: 800']);
    expect(await balances(world)).toEqual({ [cash]: '800', [earned]: '-800' });
    await world.log.settlement(id, payment);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
  });

  it('that was given up and is paid all the same is unidentified money, and a break', async () => {
    const [call] = promised(800n);
    if (call === undefined) throw new Error('no call');
    const id = await world.log.paidCall({ ...named(call), deferred: true });
    await settle(node, [call]);
    await market.run();
    await world.log.unpaidCall({ ...named(call), call: id });
    world.clock.advance(120_000);
    await market.run();
    expect(await balances(world)).toEqual({
      [cash]: '800',
      [earned]: '-800',
      uncollected: '800',
      'unidentified-receipts': '-800',
    });
    expect(await market.openBreaks()).toEqual(['settled-not-recorded: 800']);
    expect(await world.rows(`select detail from billing.break where status = 'open'`)).toEqual([
      { detail: 'The money came in; an entry says that it cannot be collected.' },
    ]);
  });
});

describe('money for a call that was not served', () => {
  it('is owed back, whichever of entry and transfer comes first, and a break until somebody resolves it: refund-due', async () => {
    const reader = market.books();
    const [early, late] = promised(300n, 400n);
    if (early === undefined || late === undefined) throw new Error('no payments');
    await world.log.refundDue(named(early));
    await reader.readAll();
    expect(await balances(world)).toEqual({ [expected]: '300', 'refunds-due': '-300' });
    await settle(node, [early, late]);
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [cash]: '700', 'refunds-due': '-300', 'unidentified-receipts': '-400' });
    await world.log.refundDue(named(late));
    const { report: found } = await market.run();
    expect(await balances(world)).toEqual({ [cash]: '700', 'refunds-due': '-700' });
    expect(found.refundsDue).toEqual({ count: 2, amount: '0.000700' });
    expect(await market.openBreaks()).toEqual(['refund-due: 300', 'refund-due: 400']);
  });

  it('is owed no more when the chain drops the payment for good', async () => {
    const [call] = promised(300n);
    if (call === undefined) throw new Error('no payment');
    const transaction = randomNonce();
    const id = await world.log.refundDue({ ...named(call), transaction });
    await market.run();
    await world.log.reversed(id, { ...named(call), transaction });
    world.clock.advance(120_000);
    await node.mine(1);
    const { report: found } = await market.run();
    expect(await balances(world)).toEqual({});
    expect(found.refundsDue).toEqual({ count: 0, amount: '0.000000' });
    expect(await market.openBreaks()).toEqual([]);
  });
});

describe('a settlement that the chain dropped', () => {
  it('undoes what the call earned, is a break, and is restored by a settlement that moved it again', async () => {
    const [call] = promised(300n);
    if (call === undefined) throw new Error('no payment');
    const payment = first(await settle(node, [call]));
    const id = await world.log.paidCall(payment);
    await market.run();
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await world.log.reversed(id, payment);
    await market.run();
    expect(await balances(world)).toEqual({});
    expect(await market.openBreaks()).toEqual(['uncollectable: 300']);
    const again = first(await settle(node, [call]));
    await world.log.settlement(id, again);
    await market.run();
    expect(await balances(world)).toEqual({ [cash]: '300', [earned]: '-300' });
    expect(await market.openBreaks()).toEqual([]);
  });
});

describe('an entry that names another', () => {
  it('which it cannot be of is refused and kept, changes nothing, and is a break: call-mismatch', async () => {
    const [call] = promised(800n);
    if (call === undefined) throw new Error('no call');
    const id = await world.log.paidCall({ ...named(call), deferred: true });
    await market.run();
    const before = await balances(world);
    await world.log.settlement('01939fa8-6c00-7000-8000-00000000dead', named(call));
    await world.log.settlement(id, { ...named(call), amount: 801n });
    await world.log.reversed(id, named(call));
    await market.run();
    expect(await balances(world)).toEqual(before);
    expect(await market.openBreaks()).toEqual(['call-mismatch', 'call-mismatch', 'call-mismatch']);
  });
});

describe('one transaction', () => {
  it('in which another token uses the same payer and nonce explains only the payment in USDC', async () => {
    const other: Address = '0x00000000000000000000000000000000000070c1';
    await installUsdc(node.rpcUrl, other);
    const rich = await fundedPayer(node, 5);
    const mint = encodeFunctionData({ abi: usdcAbi, functionName: 'mint', args: [rich.address, 40n] });
    const call = { payer: rich, payTo, amount: 40n, nonce: randomNonce() as Hex };
    const domain = { ...usdcDomain, verifyingContract: other };
    const twin = await transferData({ ...call, payTo: payTo as Address, domain });
    const others = [mint, twin].map((data) => ({ target: other, data }));
    const payment = first(await settle(node, [call], { others }));
    await world.log.paidCall(payment);
    const { report: found } = await market.run();
    expect(found.payments).toEqual([{ status: 'matched', count: 1, recorded: '0.000040', settled: '0.000040' }]);
    expect(await world.rows('select asset from billing.chain_transfer')).toEqual([
      { asset: usdcAddress.toLowerCase() },
    ]);
    expect(await market.openBreaks()).toEqual([]);
  });

  it('of two payers with the same nonce, and of one payer with two, matches each with its own', async () => {
    const second = await fundedPayer(node, 6);
    const nonce = randomNonce() as Hex;
    const calls = [
      { payer, payTo, amount: 10n, nonce },
      { payer: second, payTo, amount: 20n, nonce },
      { payer, payTo, amount: 30n, nonce: randomNonce() as Hex },
    ];
    const settled = await settle(node, calls);
    for (const payment of settled.toReversed()) await world.log.paidCall(payment);
    const { report: found } = await market.run();
    expect(found.payments).toEqual([{ status: 'matched', count: 3, recorded: '0.000060', settled: '0.000060' }]);
    expect(await market.openBreaks()).toEqual([]);
  });
});
