import { monthOf } from '@keyfare/core/time';
import type { LocalChain } from '@keyfare/devstack/chain';
import { eurcDomain, type TestPayer } from '@keyfare/devstack/payers';
import { eurcAddress, mintUsdc, transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { Hex } from 'viem';
import { refundsTable } from '../src/reports/refunds.js';
import { revenueTable } from '../src/reports/revenue.js';
import { type Table, wholeOf } from '../src/reports/table.js';
import { trialBalanceTable } from '../src/reports/trial-balance.js';
import { unpaidTable } from '../src/reports/unpaid.js';
import { network, randomNonce, usdc } from './log-documents.js';
import { goodBusiness, type Market, merchant, openMarket, payTo } from './market.js';
import { type Settled, settle } from './payments.js';
import type { World } from './world.js';

const eurc = eurcAddress.toLowerCase();
const day = 86_400_000;
let market: Market;
let world: World;
let node: LocalChain;
let payer: TestPayer;

beforeEach(async () => {
  market = await openMarket();
  ({ world, node, payer } = market);
  await mintUsdc(node.rpcUrl, payer.address, 100_000_000n, eurcAddress);
}, 60_000);
afterEach(async () => market.close());

/** A payment in EURC that was settled on the chain. */
async function settleEurc(amount: bigint, nonce = randomNonce() as Hex): Promise<Settled> {
  const [settled] = await settle(node, [{ payer, payTo, amount, nonce, domain: eurcDomain }]);
  if (settled === undefined) throw new Error('nothing was settled');
  return settled;
}

/** A payment in EURC that is signed and not settled. */
const promised = (amount: bigint) => ({
  payer: payer.address,
  payTo,
  amount,
  nonce: randomNonce() as Hex,
  asset: eurc,
});

/**
 * A month of business in EURC in which nothing is wrong: two paid calls, one on credit, one unpaid; money goes out
 * again.
 */
async function euroBusiness(): Promise<void> {
  const { log } = world;
  for (const amount of [1_000n, 2_500n]) await log.paidCall(await settleEurc(amount));
  const credit = promised(400n);
  const call = await log.paidCall({ ...credit, deferred: true });
  await log.settlement(call, await settleEurc(400n, credit.nonce));
  await log.unpaidCall(promised(900n));
  const out = { privateKey: merchant.privateKey, to: payer.address, value: 60n, asset: eurcAddress };
  await transferUsdc(node.rpcUrl, out);
}

async function openBreaks(): Promise<readonly string[]> {
  const rows = await world.rows<{ text: string }>(
    `select concat_ws(' ', class, asset, amount) as text from billing.break where status = 'open' order by 1`,
  );
  return rows.map(({ text }) => text);
}

async function balances(): Promise<Readonly<Record<string, string>>> {
  const rows = await world.rows<{ account: string; sum: string }>(
    'select account, sum(amount)::text as sum from billing.ledger_line group by account having sum(amount) <> 0 order by 1',
  );
  return Object.fromEntries(rows.map(({ account, sum }) => [account, sum]));
}

async function rowsOf<Row, View extends Readonly<Record<string, string | number | null>>>(
  table: Table<Row, View>,
): Promise<readonly View[]> {
  const { text, values = [] } = wholeOf(table);
  return (await world.rows<Row>(text, values)).map((row) => table.view(row));
}

describe('books of two tokens', () => {
  it('show no break, and every figure of either token is what it would be without the other', async () => {
    await goodBusiness(market);
    const before = await market.run();
    const inUsdc = await balances();
    await euroBusiness();
    const { report } = await market.run();
    expect(await openBreaks()).toEqual([]);
    expect(report).toMatchObject({
      calls: [
        { rail: 'key', asset: 'USD', count: 8, amount: '0.001750' },
        { rail: 'x402', asset: 'EURC', count: 3, amount: '0.003900' },
        { rail: 'x402', asset: 'USDC', count: 3, amount: '0.004200' },
      ],
      payments: before.report.payments,
      unpaid: before.report.unpaid,
      refundsDue: before.report.refundsDue,
      chain: { in: before.report.chain.in, out: before.report.chain.out, balance: before.report.chain.balance },
      otherTokens: [
        {
          asset: 'EURC',
          payments: [{ status: 'matched', count: 3, recorded: '0.003900', settled: '0.003900' }],
          unpaid: { count: 1, amount: '0.000900' },
          refundsDue: { count: 0, amount: '0.000000' },
          wallets: [{ wallet: payTo, in: '0.003900', out: '0.000060', explained: '0.003840', balance: '0.003840' }],
        },
      ],
      unchecked: [],
    });
    expect(before.report.otherTokens).toBeUndefined();
    expect(await balances()).toEqual({
      ...inUsdc,
      [`eurc:${network}:${payTo}`]: '3840',
      'revenue-eurc:x402:forecast': '-3900',
      'treasury-out-eurc': '60',
    });
    const again = await market.run();
    expect(again.digest).toEqual((await market.run()).digest);
  }, 30_000);

  it('balance in each token by itself, and no report adds one to the other', async () => {
    await goodBusiness(market);
    await euroBusiness();
    await world.log.refundDue(await settleEurc(70n));
    await market.run();
    const month = monthOf(world.clock());
    const trial = await rowsOf(trialBalanceTable(null));
    for (const asset of ['USD', 'USDC', 'EURC']) {
      const lines = trial.filter((line) => line.asset === asset);
      const sum = (side: 'debit' | 'credit') =>
        lines.reduce((total, line) => total + BigInt(line[side].replace('.', '')), 0n);
      expect(sum('debit')).toBeGreaterThan(0n);
      expect(sum('debit')).toBe(sum('credit'));
    }
    const revenue = await rowsOf(revenueTable(month));
    const ofPayer = revenue.filter(({ customer }) => customer === payer.address.toLowerCase());
    expect(ofPayer.map(({ product, calls, asset, amount }) => [product, calls, asset, amount])).toEqual([
      ['forecast', '3', 'EURC', '0.003900'],
      ['forecast', '2', 'USDC', '0.003500'],
    ]);
    const unpaid = await rowsOf(unpaidTable(month));
    expect(new Set(unpaid.map(({ asset, token, amount }) => `${asset} ${token} ${amount}`))).toEqual(
      new Set([`EURC ${eurc} 0.000900`, `USDC ${usdc} 0.000900`]),
    );
    const [refund, ...others] = await rowsOf(refundsTable(month));
    expect([refund?.asset, refund?.amount, others]).toEqual(['EURC', '0.000070', []]);
    expect(await openBreaks()).toEqual(['refund-due EURC 70']);
  }, 30_000);

  it('stay clean while calls are paid in both under the reconciliation', async () => {
    await goodBusiness(market);
    const stopping = new AbortController();
    const traffic = (async () => {
      for (let round = 1n; !stopping.signal.aborted; round += 1n) {
        await world.log.keyCall('acct_1');
        // Both in one transaction, as a batch of the API.
        const settled = await settle(node, [
          { payer, payTo, amount: round },
          { payer, payTo, amount: 2n * round, domain: eurcDomain },
        ]);
        for (const payment of settled) await world.log.paidCall(payment);
      }
    })();
    const found: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const { report } = await market.run();
      expect(report.unchecked).toEqual([]);
      found.push(...(await openBreaks()));
    }
    stopping.abort();
    await traffic;
    const { report } = await market.run();
    found.push(...(await openBreaks()));
    expect(found).toEqual([]);
    const [euros] = report.otherTokens ?? [];
    const [matched] = euros?.payments ?? [];
    expect(Number(matched?.count)).toBeGreaterThan(0);
    expect([matched?.status, matched?.recorded]).toEqual(['matched', matched?.settled]);
    expect(euros?.wallets[0]?.explained).toBe(euros?.wallets[0]?.balance);
  }, 60_000);
});

describe('a difference in EURC is found in EURC', () => {
  it('between entries and chain: missing on either side, of another amount, overdue, given up, and by nobody', async () => {
    const { log } = world;
    const at = new Date(world.clock().getTime() - day);
    await log.paidCall({ ...promised(11n), at });
    await settleEurc(12n);
    await log.paidCall({ ...(await settleEurc(13n)), amount: 15n });
    await log.refundDue(await settleEurc(16n));
    const given = promised(17n);
    const call = await log.paidCall({ ...given, deferred: true });
    await log.unpaidCall({ ...given, call });
    await mintUsdc(node.rpcUrl, merchant.address, 18n, eurcAddress);
    world.clock.advance(120_000);
    await node.mine(1);
    await market.run();
    expect(await openBreaks()).toEqual([
      'amount-mismatch EURC 2',
      'recorded-not-settled EURC 11',
      'refund-due EURC 16',
      'settled-not-recorded EURC 12',
      'uncollectable EURC 17',
      'unknown-inbound EURC 18',
    ]);
  }, 30_000);

  it('a call that its entry says was paid in EURC is not paid by the same authorization in USDC', async () => {
    const nonce = randomNonce() as Hex;
    const at = new Date(world.clock().getTime() - day);
    await world.log.paidCall({ ...promised(500n), nonce, at });
    await settle(node, [{ payer, payTo, amount: 500n, nonce }]);
    world.clock.advance(120_000);
    await market.run();
    expect(await openBreaks()).toEqual(['recorded-not-settled EURC 500', 'settled-not-recorded USDC 500']);
    expect(await balances()).toEqual({
      'revenue-eurc:x402:forecast': '-500',
      [`x402-receivable-eurc:${network}`]: '500',
      'unidentified-receipts': '-500',
      [`usdc:${network}:${payTo}`]: '500',
    });
  }, 30_000);

  it.each([
    [
      'a charge in the other token',
      `update billing.charge set asset = 'USDC' where asset = 'EURC' and amount = 1000`,
      ['ledger-mismatch EURC 1000', 'ledger-mismatch USDC 1000'],
    ],
    [
      'a journal that is gone',
      `delete from billing.movement where credit = 'revenue-eurc:x402:forecast'`,
      ['entry-unposted EURC 1000', 'entry-unposted EURC 2500', 'entry-unposted EURC 400'],
    ],
    [
      'a transfer that is gone',
      `delete from billing.chain_transfer where asset = '${eurc}' and value = 2500`,
      [
        'balance-mismatch EURC 2500',
        // The key was done, and is not any more; and its match is of nothing.
        'match-mismatch',
        'match-mismatch EURC 2500',
        'posting-without-entry EURC 2500',
      ],
    ],
  ])(
    'in the books: %s',
    async (_what, statement, expected) => {
      await goodBusiness(market);
      await euroBusiness();
      await market.run();
      expect(await openBreaks()).toEqual([]);
      await market.tamper(statement);
      await market.run('full');
      expect(await openBreaks()).toEqual(expected);
    },
    30_000,
  );
});

describe('books that were kept in USDC alone', () => {
  it('begin to read EURC where USDC is final, and what is booked stays as it is', async () => {
    await goodBusiness(market);
    await mintUsdc(node.rpcUrl, merchant.address, 77n, eurcAddress);
    await node.mine(300);
    await market.run();
    const ofEurc = `asset = '${eurc}'`;
    await market.tamper(
      `delete from billing.movement where asset = 'EURC'`,
      `delete from billing.journal j where not exists (select 1 from billing.movement p where p.journal_id = j.id)`,
      `delete from billing.chain_block where watch in (select watch from billing.chain_cursor where ${ofEurc})`,
      `delete from billing.chain_transfer where ${ofEurc}`,
      `delete from billing.chain_cursor where ${ofEurc}`,
      `delete from billing.break`,
    );
    const before = await balances();
    const { report } = await market.run();
    expect(await openBreaks()).toEqual([]);
    expect(report.unchecked).toEqual([]);
    const [cursor] = await world.rows<{ starts: boolean; opening_balance: string }>(
      `select e.start_block = u.finalized_number + 1 as starts, e.opening_balance from billing.chain_cursor e
        join billing.chain_cursor u on u.asset = '${usdc}' where e.${ofEurc}`,
    );
    expect(cursor).toEqual({ starts: true, opening_balance: '77' });
    const { [`eurc:${network}:${payTo}`]: euros, 'opening-balance-eurc': opening, ...others } = await balances();
    expect([euros, opening]).toEqual(['77', '-77']);
    expect(others).toEqual(before);
  }, 30_000);
});
