import { createHash } from 'node:crypto';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { mintUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { Hex } from 'viem';
import { readWallets } from '../src/close/month-report.js';
import { settle } from './payments.js';
import { type Books, balances, openBooks, openWorld, type World } from './world.js';

const network = 'eip155:84532';
const till = testPayer(80);
const settler = testPayer(81);
const lower = ({ address }: TestPayer): string => address.toLowerCase();
const cash = (wallet: TestPayer): string => `usdc:${network}:${lower(wallet)}`;
let node: LocalChain;
let payer: TestPayer;
let world: World;
let books: Books;

beforeEach(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: till.address })]);
  payer = await fundedPayer(node, 1);
  books = openBooks(world, { env: { RPC_URL: node.rpcUrl, RECONCILE_GRACE_SECONDS: '0' } });
  await world.rows(
    `insert into billing.wallet (network, address, kind, label, since, added_by, added_at, applied)
      values ($1, $2, 'settler', 'the settler', 'epoch', 'ann', $3, false)`,
    [network, lower(settler), new Date(0)],
  );
  await mintUsdc(node.rpcUrl, settler.address, 9_000n);
}, 60_000);
afterEach(async () => {
  await books.close();
  await Promise.all([world.close(), node.kill()]);
});

/** The nonce of what pays an entry back, written once more. */
function nonceOf(entry: string): Hex {
  return `0x${createHash('sha256').update(`keyfare-refund:${entry}`).digest('hex')}`;
}

/** Money that came in for a call that was not served. */
async function owe(amount: bigint): Promise<string> {
  const [payment] = await settle(node, [{ payer, payTo: till.address, amount }]);
  if (payment === undefined) throw new Error('no payment');
  return world.log.refundDue(payment);
}

async function payBack(entry: string, amount: bigint, to = payer.address): Promise<void> {
  await settle(node, [{ payer: settler, payTo: to, amount, nonce: nonceOf(entry) }]);
}

async function audit(): Promise<readonly string[]> {
  await books.reconcileJob.run('manual', 'full');
  const rows = await world.rows<{ text: string }>(
    `select concat_ws(': ', class, amount) as text from billing.break where status = 'open' order by class, amount`,
  );
  // What the settler was funded with is somebody else's business.
  return rows.map(({ text }) => text).filter((text) => text !== 'unknown-inbound: 9000');
}

const paidBack = { [cash(till)]: '700', [cash(settler)]: '8300', 'unidentified-receipts': '-9000' };

describe('a refund that was paid back', () => {
  it('is owed until the chain shows the transfer whose nonce names its entry, and then no longer', async () => {
    const entry = await owe(700n);
    expect(await audit()).toEqual(['refund-due: 700']);
    expect(await balances(world)).toMatchObject({ 'refunds-due': '-700' });
    await payBack(entry, 700n);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual(paidBack);
    expect(await world.rows('select rule, entry_id, amount from billing.match where rule = $1', ['refund'])).toEqual([
      { rule: 'refund', entry_id: entry, amount: '700' },
    ]);
  }, 60_000);

  it('is found whichever comes first, the entry or the transfer', async () => {
    const [payment] = await settle(node, [{ payer, payTo: till.address, amount: 700n }]);
    if (payment === undefined) throw new Error('no payment');
    await books.chainJob.catchUp(20_000);
    const entry = await world.log.refundDue(payment);
    await payBack(entry, 700n);
    await books.chainJob.catchUp(20_000);
    expect(await balances(world)).toMatchObject({ 'treasury-out': '700' });
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual(paidBack);
    // The report of the month says what it is by now, not what it was booked as.
    const at = world.clock();
    const end = new Date(Date.UTC(at.getUTCFullYear() + 1, 0, 1));
    const wallets = await readWallets(world.sql, { start: new Date(0), end });
    const kinds = wallets
      .filter(({ wallet, asset }) => wallet === lower(settler) && asset === 'USDC')
      .flatMap(({ movements }) => movements.map(({ kind, amount }) => [kind, amount]));
    expect(kinds).toEqual([
      ['refund', '-0.000700'],
      ['unidentified', '0.009000'],
    ]);
  }, 60_000);

  it('in part, or to somebody else, is still owed', async () => {
    const [one, other] = [await owe(700n), await owe(800n)];
    await payBack(one, 600n);
    await payBack(other, 800n, testPayer(83).address);
    expect(await audit()).toEqual(['refund-due: 700', 'refund-due: 800']);
    expect(await balances(world)).toMatchObject({ 'refunds-due': '-1500', 'treasury-out': '1400' });
  }, 60_000);

  it('is owed again when the block of the transfer is orphaned', async () => {
    const entry = await owe(700n);
    await audit();
    await payBack(entry, 700n);
    expect(await audit()).toEqual([]);
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    expect(await audit()).toEqual(['refund-due: 700']);
    await payBack(entry, 700n);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual(paidBack);
  }, 60_000);
});
