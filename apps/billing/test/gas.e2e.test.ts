import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Hex, numberToHex } from 'viem';
import { settle } from './payments.js';
import { type Service, startService, settled as untilSettled } from './service.js';
import { balances, openWorld, type World } from './world.js';

const network = 'eip155:84532';
const till = testPayer(80);
// Who settles in the tests.
const settler = testPayer(90);
const wallet = settler.address.toLowerCase();
const eth = `eth:${network}:${wallet}`;
const gas = `gas:${network}`;
let node: LocalChain;
let payer: TestPayer;
let world: World;
let service: Service;

beforeEach(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: till.address })]);
  payer = await fundedPayer(node, 1);
  await fundEth(node.rpcUrl, settler.address);
  service = await startService(world, { RPC_URL: node.rpcUrl, CHAIN_CONFIRMATIONS: '1', RECONCILE_GRACE_SECONDS: '0' });
  // The job of a service's start ends with a look at the gas, which finds a settler where one is named by then.
  const drawn = async (): Promise<number> =>
    (await world.rows(`select 1 from billing_jobs.job where name = 'drafts' and state = 'completed'`)).length;
  expect(await untilSettled(drawn, 1)).toBe(1);
}, 60_000);
afterEach(async () => {
  await service.close();
  await Promise.all([world.close(), node.kill()]);
});

async function nameSettler(): Promise<void> {
  const body = { address: settler.address, kind: 'settler', label: 'the settler' };
  expect((await service.call('/wallets', { body })).status).toBe(201);
}

/** A payment that an entry records, by the settler. */
async function pay(...amounts: readonly bigint[]): Promise<bigint> {
  const settled = await settle(
    node,
    amounts.map((amount) => ({ payer, payTo: till.address, amount })),
  );
  for (const payment of settled) await world.log.paidCall(payment);
  const hash = settled[0]?.transaction ?? '0x';
  const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as Record<string, Hex>;
  return BigInt(receipt['gasUsed'] ?? 0) * BigInt(receipt['effectiveGasPrice'] ?? 0);
}

async function heldBySettler(): Promise<bigint> {
  return BigInt((await callRpc(node.rpcUrl, 'eth_getBalance', [settler.address, 'latest'])) as Hex);
}

async function setSettler(wei: bigint): Promise<void> {
  await callRpc(node.rpcUrl, 'anvil_setBalance', [settler.address, numberToHex(wei)]);
}

async function audit(): Promise<readonly string[]> {
  await node.mine(2);
  expect((await service.reconcile({ scope: 'full' })).status).toBe(200);
  const rows = await world.rows<{ text: string }>(
    `select concat_ws(': ', class, detail) as text from billing.break where status = 'open' order by 1`,
  );
  return rows.map(({ text }) => text);
}

interface Reading {
  readonly id: string;
  readonly state: string;
  readonly kind: string | null;
  readonly difference: string;
}

async function read(): Promise<readonly Reading[]> {
  const answer = await service.call('/gas-readings', { method: 'POST' });
  expect(answer.status).toBe(200);
  return (answer.body as { items: Reading[] }).items;
}

describe('gas', () => {
  it('is an expense of each transaction of the settler, once, however many payments it moved', async () => {
    await nameSettler();
    const fees = [await pay(1_000n, 2_000n), await pay(500n)];
    expect(await audit()).toEqual([]);
    const total = fees.reduce((sum, fee) => sum + fee, 0n);
    expect(total).toBeGreaterThan(0n);
    expect(await balances(world)).toMatchObject({ [gas]: total.toString(), [eth]: (-total).toString() });
    const [row] = await world.rows(`select count(*)::int as count from billing.journal where kind = 'gas'`);
    expect(row).toEqual({ count: 2 });
  }, 60_000);

  it('is posted of what was settled before the settler had its name, and taken back when it is none of ours', async () => {
    const fee = await pay(1_000n);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).not.toHaveProperty([gas]);
    await nameSettler();
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toMatchObject({ [gas]: fee.toString() });
    for (const [kind, expected] of [
      ['other', undefined],
      ['settler', fee.toString()],
    ] as const) {
      const tag = (await service.call(`/wallets/${wallet}`)).headers.get('etag') ?? '';
      const change = { method: 'PATCH', body: { kind }, headers: { 'if-match': tag } };
      expect((await service.call(`/wallets/${wallet}`, change)).status).toBe(200);
      expect(await audit()).toEqual([]);
      expect((await balances(world))[gas]).toBe(expected);
    }
  }, 60_000);

  it('is what the settler holds less: a first reading opens its account, a top-up and other gas wait for an operator', async () => {
    await nameSettler();
    await pay(1_000n);
    // What `settle` gives its sender before each transaction: later it gives nothing more.
    await fundEth(node.rpcUrl, settler.address);
    await audit();
    expect(await read()).toMatchObject([{ state: 'posted', kind: 'opening' }]);
    expect((await balances(world))[eth]).toBe((await heldBySettler()).toString());
    expect(await audit()).toEqual([]);
    await pay(2_000n);
    await audit();
    expect(await read()).toMatchObject([{ state: 'agreed', kind: null, difference: '0.000000000000000000' }]);
    // Coins move without a log.
    await setSettler((await heldBySettler()) + 10n ** 17n);
    await audit();
    const [topUp] = await read();
    expect(topUp).toMatchObject({ state: 'proposed', kind: 'top-up', difference: '0.100000000000000000' });
    const accepted = await service.call(`/gas-readings/${topUp?.id}/accept`, { method: 'POST' });
    expect([accepted.status, accepted.body]).toMatchObject([200, { state: 'posted' }]);
    expect((await service.call(`/gas-readings/${topUp?.id}/accept`, { method: 'POST' })).status).toBe(409);
    expect(await balances(world)).toMatchObject({
      [eth]: (await heldBySettler()).toString(),
      [`gas-funding:${network}`]: (-(10n ** 17n)).toString(),
    });
    // A transaction that failed, or moved nothing of ours; a later reading takes the place of one that waits.
    await setSettler((await heldBySettler()) - 7n);
    await audit();
    expect(await read()).toMatchObject([{ state: 'proposed', kind: 'other-gas' }]);
    await setSettler((await heldBySettler()) - 5n);
    await audit();
    const [other] = await read();
    expect(other).toMatchObject({ state: 'proposed', kind: 'other-gas', difference: '-0.000000000000000012' });
    const listed = (await service.call('/gas-readings')).body as { items: Reading[] };
    expect(listed.items.map(({ state }) => state)).toEqual(['proposed', 'superseded', 'posted', 'agreed', 'posted']);
    await service.call(`/gas-readings/${other?.id}/accept`, { method: 'POST' });
    expect((await balances(world))[eth]).toBe((await heldBySettler()).toString());
    expect(await audit()).toEqual([]);
  }, 60_000);

  it('is reported by day and by settlement, with what part of the revenue it is at a rate', async () => {
    await nameSettler();
    const fees = [await pay(1_000_000n, 2_000_000n), await pay(500_000n)];
    await audit();
    const total = fees.reduce((sum, fee) => sum + fee, 0n);
    const days = await service.call('/reports/gas?ethUsd=3000');
    expect(days.body).toMatchObject({
      items: [{ settler: wallet, transaction: null, transactions: '2', payments: '3', usdc: '3.500000' }],
    });
    const [day] = (days.body as { items: { gas: string; gasUsd: string; gasPercent: string }[] }).items;
    expect(BigInt((day?.gas ?? '').replace('.', ''))).toBe(total);
    expect(Number(day?.gasPercent)).toBeCloseTo((Number(day?.gasUsd) / 3.5) * 100, 1);
    const each = await service.call('/reports/gas?by=settlement');
    expect(each.body).toMatchObject({ items: [{ gasUsd: null }, { gasUsd: null }] });
    const csv = await service.call('/reports/gas.csv?by=settlement&ethUsd=3000');
    expect(csv.text.split('\r\n')[0]).toBe(
      'day,network,settler,transaction,transactions,payments,gas,usdc,eurc,gasUsd,gasPercent',
    );
    const month = world.clock().toISOString().slice(0, 7);
    expect((await service.call('/reports/trial-balance')).text).toContain('"asset":"ETH"');
    expect((await service.call(`/months/${month}/report`)).text).toContain('"asset":"ETH"');
  }, 60_000);
});
