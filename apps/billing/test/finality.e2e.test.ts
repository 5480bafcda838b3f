import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNetwork } from '@keyfare/core/x402';
import { callRpc, type LocalChain, startChain } from '@keyfare/devstack/chain';
import { fundedPayer, testPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as documents from './log-documents.js';
import { type Market, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import { type Books, balances } from './world.js';

let market: Market;

beforeEach(async () => {
  market = await openMarket();
}, 60_000);
afterEach(async () => market.close());

const hour = 3_600_000;
const impatient = { RECONCILE_WAIT_SECONDS: '1' };

async function cursor(): Promise<Record<string, unknown>> {
  return (await market.world.rows('select * from billing.chain_cursor where asset = $1', [documents.usdc]))[0] ?? {};
}

async function live(): Promise<readonly boolean[]> {
  const rows = await market.world.rows<{ live: boolean }>(
    'select orphaned_at is null as live from billing.chain_transfer order by block_number, log_index',
  );
  return rows.map((row) => row.live);
}

describe('what is booked of a chain', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyfare-finality-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('stays booked before a node that is late, which is waited for: chain-stalled, until it is caught up', async () => {
    const start = async (name: string): Promise<LocalChain> =>
      startChain({ port: await choosePort(), statePath: join(folder, `${name}.json`) });
    const first = await start('current');
    const rich = await fundedPayer(first, 3);
    await first.mine(3);
    await first.stop();
    copyFileSync(join(folder, 'current.json'), join(folder, 'late.json'));
    const [current, late] = await Promise.all([start('current'), start('late')]);
    try {
      await settle(current, [{ payer: rich, payTo, amount: 20n }]);
      await current.mine(4);
      const at = (chain: LocalChain): Books => market.books({ env: { ...impatient, RPC_URL: chain.rpcUrl } });
      const [good, bad] = [at(current), at(late)];
      expect(await good.chainJob.catchUp(100_000)).toBe('current');
      await good.reconcileJob.run('manual');
      const booked = await balances(market.world);
      const before = await cursor();
      expect(await bad.chainJob.step()).toBe('behind');
      market.world.clock.advance(hour);
      const { report } = await bad.reconcileJob.run('manual');
      expect(report.chain.state).toBe('behind');
      expect(await live()).toEqual([true]);
      expect(await balances(market.world)).toEqual(booked);
      expect(await cursor()).toEqual({ ...before, doubt: 'behind', doubted_since: expect.any(Date) });
      expect(await market.openBreaks()).toContain('chain-stalled');
      expect(await good.chainJob.catchUp(100_000)).toBe('current');
      await good.reconcileJob.run('manual');
      expect(await market.openBreaks()).not.toContain('chain-stalled');
    } finally {
      await Promise.all([current.kill(), late.kill()]);
    }
  }, 60_000);

  it('and called final stays booked before a node that shows other blocks: chain-rewritten, and nothing of it is booked', async () => {
    const { node, payer, world } = market;
    await settle(node, [{ payer, payTo, amount: 1n }]);
    const snapshot = await callRpc(node.rpcUrl, 'evm_snapshot');
    await settle(node, [{ payer, payTo, amount: 2n }]);
    await node.mine(20);
    const reader = market.books({ env: impatient });
    expect(await reader.chainJob.catchUp(100_000)).toBe('current');
    await reader.reconcileJob.run('manual');
    const booked = await balances(world);
    await callRpc(node.rpcUrl, 'evm_revert', [snapshot]);
    await node.mine(40);
    expect(await reader.chainJob.step()).toBe('behind');
    world.clock.advance(11_000);
    const { report } = await reader.reconcileJob.run('manual');
    expect(report.chain.state).toBe('rewritten');
    expect(await market.openBreaks()).toEqual(['chain-rewritten']);
    world.clock.advance(hour);
    await reader.reconcileJob.run('manual');
    expect(await market.openBreaks()).toEqual(expect.arrayContaining(['chain-rewritten', 'chain-stalled']));
    expect(await balances(world)).toEqual(booked);
    expect(await live()).toEqual([true, true]);
  });

  it('on another chain altogether is left alone: chain-rewritten', async () => {
    await market.node.mine(5);
    const env = { ...impatient, CHAIN_START_BLOCK: '5' };
    const first = market.books({ env });
    expect(await first.chainJob.catchUp(100_000)).toBe('current');
    await first.reconcileJob.run('manual');
    // The same genesis, and since then other blocks.
    await callRpc(market.node.rpcUrl, 'anvil_reset', []);
    await market.node.mine(50);
    const reader = market.books({ env });
    await expect(reader.chainJob.step()).rejects.toThrow('another chain');
    market.world.clock.advance(11_000);
    expect((await reader.reconcileJob.run('manual')).report.chain.state).toBe('diverged');
    expect(await market.openBreaks()).toContain('chain-rewritten');
  });

  it('becomes final and is never less so, but on a chain that may lose blocks', async () => {
    const { node, payer } = market;
    await settle(node, [{ payer, payTo }]);
    await node.mine(30);
    await market.books({ env: { CHAIN_CONFIRMATIONS: '0' } }).chainJob.catchUp(10_000);
    const { finalized_number: finalized, block_number: block } = await cursor();
    expect(finalized).toBe(block);
    await market.books({ env: { CHAIN_CONFIRMATIONS: '20' } }).chainJob.catchUp(10_000);
    expect((await cursor())['finalized_number']).toBe(finalized);
    const local = { CHAIN_CONFIRMATIONS: '20', CHAIN_MAY_LOSE_BLOCKS: 'true' };
    await market.books({ env: local }).chainJob.catchUp(10_000);
    expect((await cursor())['finalized_number']).toBe(String(Number(block) - 20));
  });

  it('is complete only when the head is reached that was seen, whatever a later node takes for the head', async () => {
    const reader = market.books();
    await reader.chainJob.catchUp(10_000);
    const before = await cursor();
    await market.world.rows('update billing.chain_cursor set head_number = head_number + 10');
    market.world.clock.advance(1_000);
    await market.node.mine(4);
    expect(await reader.chainJob.catchUp(500)).toBe('behind');
    expect((await cursor())['complete_as_of']).toEqual(before['complete_as_of']);
    await market.node.mine(6);
    expect(await reader.chainJob.catchUp(100_000)).toBe('current');
    expect((await cursor())['complete_as_of']).toEqual(market.world.clock());
  });
});

describe('when a tariff names another payee than PAY_TO', () => {
  const author = testPayer(82).address.toLowerCase();

  it('its wallet is read where FURTHER_PAYEES names it, and what it is paid matches; else that is a break', async () => {
    const { node, payer, world } = market;
    const paid = await settle(node, [
      { payer, payTo, amount: 10n },
      { payer, payTo: author, amount: 300n },
    ]);
    for (const payment of paid) await world.log.paidCall(payment);
    await market.run();
    world.clock.advance(hour);
    await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 300']);
    const { report } = await market.books({ env: { FURTHER_PAYEES: author } }).reconcileJob.run('manual');
    expect(await market.openBreaks()).toEqual([]);
    expect(report).toMatchObject({
      unchecked: [],
      payments: [{ status: 'matched', count: 2, recorded: '0.000310', settled: '0.000310' }],
      chain: { wallet: payTo, balance: '0.000010', earlier: [{ wallet: author, balance: '0.000300' }] },
    });
    expect(await balances(world)).toMatchObject({
      [`usdc:eip155:84532:${payTo}`]: '10',
      [`usdc:eip155:84532:${author}`]: '300',
    });
  });
});

describe('when PAY_TO changes', () => {
  const base = findNetwork('base');
  const next = testPayer(81).address.toLowerCase();

  it('what still comes to the old wallet is booked, and what does not come is a break', async () => {
    const { node, payer, world } = market;
    const early = await settle(node, [{ payer, payTo, amount: 10n }]);
    for (const payment of early) await world.log.paidCall(payment);
    await market.run();
    const reader = market.books({ env: { PAY_TO: next } });
    const late = await settle(node, [
      { payer, payTo, amount: 20n },
      { payer, payTo: next, amount: 300n },
    ]);
    for (const payment of late) await world.log.paidCall(payment);
    const { report } = await reader.reconcileJob.run('manual');
    expect(await market.openBreaks()).toEqual([]);
    expect(report).toMatchObject({
      unchecked: [],
      payments: [{ status: 'matched', count: 3, recorded: '0.000330', settled: '0.000330' }],
      chain: {
        wallet: next,
        balance: '0.000300',
        explained: '0.000300',
        earlier: [{ wallet: payTo, balance: '0.000030', explained: '0.000030' }],
      },
    });
    expect(await balances(world)).toMatchObject({
      [`usdc:eip155:84532:${payTo}`]: '30',
      [`usdc:eip155:84532:${next}`]: '300',
    });
    await world.log.paidCall({ payer: payer.address, payTo, amount: 77n });
    world.clock.advance(hour);
    await reader.reconcileJob.run('manual');
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 77']);
  });

  it('the old wallet still has to hold what its transfers explain: balance-mismatch', async () => {
    const { node, payer } = market;
    await settle(node, [{ payer, payTo, amount: 10n }]);
    await market.run();
    await market.tamper('delete from billing.chain_transfer');
    await market.books({ env: { PAY_TO: next } }).reconcileJob.run('manual');
    expect(await market.openBreaks()).toContain('balance-mismatch: 10');
  });

  it('with the network, payments on the old one are not waited for: recorded-not-settled', async () => {
    const { payer, world } = market;
    if (base === null) throw new Error('no such network');
    const { caip2: network, usdc } = base;
    await world.rows(
      `insert into billing.chain_cursor (watch, network, asset, pay_to, start_block, block_number, head_number, finalized_number)
        values ('old', $1, $2, $3, 0, 0, 0, 0)`,
      [network, usdc.address, payTo],
    );
    await world.log.paidCall({ payer: payer.address, payTo, network, asset: usdc.address });
    const { report } = await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 1000']);
    expect(report.unchecked).toEqual(['balance-mismatch']);
  });
});
