import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callRpc, type LocalChain, startChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, mintUsdc, transferUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ChainDiverged } from '../src/chain/chain-reader.js';
import { tryTurn, turns } from '../src/turns.js';
import { settle } from './payments.js';
import { type Books, type BooksOptions, balances, openBooks, openWorld, type World } from './world.js';

const network = 'eip155:84532';
const merchant = testPayer(80);
const payTo = merchant.address.toLowerCase();
const cash = `usdc:${network}:${payTo}`;
const receivable = `x402-receivable:${network}`;
/** A node of this machine forgets its newest blocks when it is killed, whatever it called final. */
const local = { CHAIN_MAY_LOSE_BLOCKS: 'true' };
let node: LocalChain;
let payer: TestPayer;
let world: World;
const open: Books[] = [];

beforeEach(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: payTo })]);
  payer = await fundedPayer(node, 1);
  await fundEth(node.rpcUrl, payer.address);
  await fundEth(node.rpcUrl, merchant.address);
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (each) => each.close()));
  await Promise.all([world.close(), node.kill()]);
});

function books(options: BooksOptions = {}): Books {
  const opened = openBooks(world, { ...options, env: { RPC_URL: node.rpcUrl, ...options.env } });
  open.push(opened);
  return opened;
}

async function transfers(): Promise<readonly { value: string; live: boolean; nonce: boolean }[]> {
  return world.rows(`select value, orphaned_at is null as live, nonce is not null as nonce from billing.chain_transfer
    order by block_number, log_index, seen_at, id`);
}

async function cursor(): Promise<Record<string, unknown>> {
  const [row] = await world.rows('select * from billing.chain_cursor');
  return row ?? {};
}

async function nameWallets(kind: string, ...wallets: readonly TestPayer[]): Promise<void> {
  for (const { address } of wallets) {
    await world.rows(
      `insert into billing.wallet (network, address, kind, label, since, added_at, applied)
        values ($1, $2, $3, 'named', timestamptz 'epoch', now(), false)`,
      [network, address.toLowerCase(), kind],
    );
  }
}

/** The identity that must always hold between the books and the chain. */
async function expectBalance(): Promise<void> {
  const booked = BigInt((await balances(world))[cash] ?? 0);
  expect(booked).toBe(await usdcBalance(node.rpcUrl, merchant.address));
}

describe('the indexer', () => {
  it('books what came in by authorization, by a plain transfer and what went out, and the balance is the chain’s', async () => {
    await settle(node, [
      { payer, payTo, amount: 10n },
      { payer, payTo, amount: 20n },
    ]);
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 400n });
    await transferUsdc(node.rpcUrl, { privateKey: merchant.privateKey, to: payer.address, value: 5n });
    expect(await books().chainJob.catchUp(100_000)).toBe('current');
    expect(await transfers()).toEqual([
      { value: '10', live: true, nonce: true },
      { value: '20', live: true, nonce: true },
      { value: '400', live: true, nonce: false },
      { value: '5', live: true, nonce: false },
    ]);
    expect(await balances(world)).toEqual({ [cash]: '425', 'treasury-out': '5', 'unidentified-receipts': '-430' });
    await expectBalance();
  });

  it('settles what an entry records, whichever comes first', async () => {
    const [before, after] = await settle(node, [
      { payer, payTo, amount: 10n },
      { payer, payTo, amount: 20n },
    ]);
    const reader = books();
    if (before === undefined || after === undefined) throw new Error('no payments');
    await world.log.paidCall(before);
    await reader.readAll();
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({
      [cash]: '30',
      'revenue:x402:forecast': '-10',
      'unidentified-receipts': '-20',
    });
    await world.log.paidCall(after);
    await reader.readAll();
    expect(await balances(world)).toEqual({ [cash]: '30', 'revenue:x402:forecast': '-30' });
  });

  it('misses none when entry and transfer are booked at the same moment by two processes', async () => {
    const [one, other] = [books(), books()];
    for (let round = 0; round < 8; round += 1) {
      const settled = await settle(node, [
        { payer, payTo, amount: 1n },
        { payer, payTo, amount: 2n },
      ]);
      await Promise.all(settled.map(async (each) => world.log.paidCall(each)));
      await Promise.all([one.readAll(), other.chainJob.catchUp(10_000), one.chainJob.catchUp(10_000), other.readAll()]);
    }
    expect(await balances(world)).toEqual({ [cash]: '24', 'revenue:x402:forecast': '-24' });
    expect(await transfers()).toHaveLength(16);
  }, 30_000);

  it('has moved what each wallet is about that was named when it says that it is current', async () => {
    const { chainJob, reconcileJob } = books();
    await settle(node, [{ payer, payTo: merchant.address, amount: 4_000n }]);
    await chainJob.catchUp(60_000);
    await nameWallets('service', testPayer(90), testPayer(91), testPayer(92));
    expect(await chainJob.catchUp(60_000)).toBe('current');
    expect(await world.rows('select address from billing.wallet where not applied')).toEqual([]);
    const found = await reconcileJob.run('manual', 'full');
    expect(found.report).toMatchObject({ breaks: [], unchecked: [] });
  });

  it.each(['service', 'settler'])(
    'is not judged by where transfers stand that are on their way to a %s',
    async (kind) => {
      const { chainJob, reconcileJob } = books({ env: { RECONCILE_WAIT_SECONDS: '0' } });
      await settle(node, [{ payer, payTo: merchant.address, amount: 4_000n }]);
      await node.mine(100);
      await chainJob.catchUp(60_000);
      await nameWallets(kind, testPayer(90));
      // Another process has the chain's turn, and has not got to it.
      const early = await world.sql.transaction(async (tx) => {
        expect(await tryTurn(tx, turns.chain)).toBe(true);
        return reconcileJob.run('manual', 'full');
      });
      expect(early.report).toMatchObject({
        breaks: [],
        unchecked: expect.arrayContaining([
          'entry-unposted',
          'posting-without-entry',
          'ledger-mismatch',
          'match-mismatch',
        ]),
      });
      await chainJob.catchUp(60_000);
      const { breaks, unchecked } = (await reconcileJob.run('manual', 'full')).report;
      expect(breaks).toEqual([]);
      expect(unchecked).not.toContain('ledger-mismatch');
      expect(unchecked).not.toContain('match-mismatch');
    },
  );

  it('goes on where it stopped, block by block, and reads nothing twice', async () => {
    for (let round = 1n; round <= 3n; round += 1n) {
      await settle(node, [{ payer, payTo, amount: round }]);
      await node.mine(300);
      await books().chainJob.step();
    }
    await books().chainJob.catchUp(20_000);
    const after = await transfers();
    expect(after.map(({ value }) => value)).toEqual(['1', '2', '3']);
    await books().chainJob.catchUp(20_000);
    expect(await transfers()).toEqual(after);
    expect(Number((await cursor())['block_number'])).toBeGreaterThan(900);
    await expectBalance();
  }, 30_000);

  it('counts from its start block on, and what was there before is the opening balance', async () => {
    await mintUsdc(node.rpcUrl, merchant.address, 77n);
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 3n });
    const head = Number(await callRpc(node.rpcUrl, 'eth_blockNumber'));
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 20n });
    await books({ env: { CHAIN_START_BLOCK: String(head + 1) } }).chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [cash]: '100', 'opening-balance': '-80', 'unidentified-receipts': '-20' });
    expect(await cursor()).toMatchObject({ opening_balance: '80' });
  });

  it('calls a transfer final when the chain does, or after the confirmations that were asked for', async () => {
    await settle(node, [{ payer, payTo }]);
    await books().chainJob.catchUp(10_000);
    const { block_number: block, finalized_number: finalized } = await cursor();
    expect(Number(finalized)).toBe(Number(block) - 2);
    await books({ env: { CHAIN_CONFIRMATIONS: '1' } }).chainJob.catchUp(10_000);
    expect(Number((await cursor())['finalized_number'])).toBe(Number(block) - 1);
  });

  it('says that the chain is away, and goes on when it is back', async () => {
    const reader = books();
    await settle(node, [{ payer, payTo, amount: 9n }]);
    await node.pause();
    expect(await reader.chainJob.catchUp(5_000)).toBe('unavailable');
    node.resume();
    expect(await reader.chainJob.catchUp(100_000)).toBe('current');
    await expectBalance();
  }, 30_000);
});

describe('a reorganization', () => {
  it('orphans what its blocks held, undoes it in the ledger, and books what the new blocks hold', async () => {
    const [kept] = await settle(node, [{ payer, payTo, amount: 10n }]);
    if (kept === undefined) throw new Error('no payment');
    const reader = books();
    await world.log.paidCall(kept);
    await reader.readAll();
    const [lost] = await settle(node, [{ payer, payTo, amount: 20n }]);
    if (lost === undefined) throw new Error('no payment');
    await world.log.paidCall(lost);
    await reader.readAll();
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [cash]: '30', 'revenue:x402:forecast': '-30' });
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    expect(await reader.chainJob.catchUp(100_000)).toBe('current');
    expect(await balances(world)).toEqual({ [cash]: '10', [receivable]: '20', 'revenue:x402:forecast': '-30' });
    expect(await transfers()).toEqual([
      { value: '10', live: true, nonce: true },
      { value: '20', live: false, nonce: true },
    ]);
    await expectBalance();
    // The same authorization, mined again.
    await settle(node, [{ payer, payTo, amount: 20n, nonce: lost.nonce }]);
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [cash]: '30', 'revenue:x402:forecast': '-30' });
    await expectBalance();
  });

  it('undoes a transfer that was identified later, whole', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 20n }]);
    if (payment === undefined) throw new Error('no payment');
    const reader = books();
    await reader.chainJob.catchUp(10_000);
    await world.log.paidCall(payment);
    await reader.readAll();
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [receivable]: '20', 'revenue:x402:forecast': '-20' });
  });

  it('by which a local chain lost its newest blocks counts as one when the node does not catch up', async () => {
    const snapshot = await callRpc(node.rpcUrl, 'evm_snapshot');
    await settle(node, [{ payer, payTo, amount: 20n }]);
    await node.mine(3);
    const reader = books({ env: local });
    await reader.chainJob.catchUp(10_000);
    await expectBalance();
    await callRpc(node.rpcUrl, 'evm_revert', [snapshot]);
    expect(await reader.chainJob.step()).toBe('behind');
    expect((await transfers()).map(({ live }) => live)).toEqual([true]);
    world.clock.advance(11_000);
    expect(await reader.chainJob.catchUp(100_000)).toBe('current');
    expect((await transfers()).map(({ live }) => live)).toEqual([false]);
    expect(await balances(world)).toEqual({});
    await settle(node, [{ payer, payTo, amount: 7n }]);
    await reader.chainJob.catchUp(10_000);
    expect(await balances(world)).toEqual({ [cash]: '7', 'unidentified-receipts': '-7' });
    await expectBalance();
  });

  it('of a local chain is found at its block among hundreds, and below blocks that were called final', async () => {
    await settle(node, [{ payer, payTo, amount: 1n }]);
    const snapshot = await callRpc(node.rpcUrl, 'evm_snapshot');
    await settle(node, [{ payer, payTo, amount: 2n }]);
    await node.mine(150);
    const reader = books({ env: local });
    await reader.chainJob.catchUp(20_000);
    await callRpc(node.rpcUrl, 'evm_revert', [snapshot]);
    await node.mine(200);
    // Final blocks are not given up for one answer.
    expect(await reader.chainJob.step()).toBe('behind');
    expect((await transfers()).map(({ live }) => live)).toEqual([true, true]);
    world.clock.advance(11_000);
    await reader.chainJob.catchUp(20_000);
    expect(await transfers()).toEqual([
      { value: '1', live: true, nonce: true },
      { value: '2', live: false, nonce: true },
    ]);
    await expectBalance();
  }, 30_000);

  it('seen by two processes at once is undone once', async () => {
    await settle(node, [{ payer, payTo, amount: 20n }]);
    const [one, other] = [books(), books()];
    await Promise.all([one.chainJob.catchUp(10_000), other.chainJob.catchUp(10_000)]);
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await Promise.all([one.chainJob.catchUp(10_000), other.chainJob.catchUp(10_000)]);
    expect(await balances(world)).toEqual({});
    expect(await world.rows(`select count(*)::int as n from billing.journal where kind = 'reversal'`)).toEqual([
      { n: 1 },
    ]);
  });
});

it('a chain that shares no block with the books is refused: nothing of it is booked', async () => {
  // Two local chains begin with the same block; so the books begin after it.
  await node.mine(2);
  const env = { CHAIN_START_BLOCK: '2' };
  await settle(node, [{ payer, payTo, amount: 20n }]);
  await books({ env }).chainJob.catchUp(10_000);
  const before = await balances(world);
  const stranger = await startTestChain();
  try {
    await stranger.mine(50);
    const reader = books({ env: { ...env, RPC_URL: stranger.rpcUrl } });
    await expect(reader.chainJob.step()).rejects.toBeInstanceOf(ChainDiverged);
    expect(await reader.chainJob.catchUp(2_000)).toBe('diverged');
    expect(await balances(world)).toEqual(before);
  } finally {
    await stranger.kill();
  }
});

describe('the local chain of a home', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyfare-billing-chain-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('in two nodes that differ is followed there and back, and a block that comes back is counted once', async () => {
    const path = (name: string): string => join(folder, `${name}.json`);
    const first = await startChain({ port: await choosePort(), statePath: path('one') });
    const rich = await fundedPayer(first, 3);
    await first.mine(3);
    await first.stop();
    copyFileSync(path('one'), path('other'));
    const [one, other] = await Promise.all(
      ['one', 'other'].map(async (name) => startChain({ port: await choosePort(), statePath: path(name) })),
    );
    if (one === undefined || other === undefined) throw new Error('no nodes');
    try {
      await settle(one, [{ payer: rich, payTo, amount: 10n }]);
      await transferUsdc(other.rpcUrl, { privateKey: await funded(other, rich), to: merchant.address, value: 3n });
      await other.mine(1);
      const at = (chain: LocalChain): Books => books({ env: { ...local, RPC_URL: chain.rpcUrl } });
      const seen: unknown[] = [];
      for (const chain of [one, other, one, other, one]) {
        expect(await at(chain).chainJob.catchUp(100_000)).toBe('current');
        seen.push((await balances(world))[cash]);
        expect(BigInt((await balances(world))[cash] ?? 0)).toBe(await usdcBalance(chain.rpcUrl, merchant.address));
      }
      expect(seen).toEqual(['10', '3', '10', '3', '10']);
      expect((await transfers()).filter(({ live }) => live)).toHaveLength(1);
      expect(await transfers()).toHaveLength(5);
    } finally {
      await Promise.all([one.kill(), other.kill()]);
    }
  }, 60_000);

  async function funded(chain: LocalChain, { address, privateKey }: TestPayer): Promise<TestPayer['privateKey']> {
    await fundEth(chain.rpcUrl, address);
    return privateKey;
  }

  it('that is killed and started again is followed, with the blocks that it lost undone', async () => {
    const start = async (): Promise<LocalChain> =>
      startChain({ port: await choosePort(), statePath: join(folder, 'state.json') });
    let home = await start();
    try {
      const rich = await fundedPayer(home, 2);
      await settle(home, [{ payer: rich, payTo, amount: 10n }]);
      await home.stop();
      home = await start();
      const before = books({ env: { ...local, RPC_URL: home.rpcUrl } });
      await before.chainJob.catchUp(10_000);
      expect(await balances(world)).toMatchObject({ [cash]: '10' });
      await settle(home, [{ payer: rich, payTo, amount: 20n }]);
      await before.chainJob.catchUp(10_000);
      await home.kill();
      home = await start();
      const after = books({ env: { ...local, RPC_URL: home.rpcUrl } });
      await after.chainJob.step();
      world.clock.advance(11_000);
      expect(await after.chainJob.catchUp(100_000)).toBe('current');
      const left = await usdcBalance(home.rpcUrl, merchant.address);
      expect(BigInt((await balances(world))[cash] ?? 0)).toBe(left);
    } finally {
      await home.kill();
    }
  }, 60_000);
});
