import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, mintUsdc, transferUsdc, usdcAddress, usdcBalance } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, type Hex, parseAbi } from 'viem';
import { type OperatorsApi, startOperatorsApi } from './operators-api.js';
import { settle } from './payments.js';
import { type Service, startService } from './service.js';
import { balances, openWorld, type World } from './world.js';

const network = 'eip155:84532';
const transferFrom = parseAbi(['function transferFrom(address, address, uint256) returns (bool)']);
const till = testPayer(80);
const treasury = testPayer(81);
const stranger = testPayer(82);
const neighbour = testPayer(83);
const lower = ({ address }: TestPayer): string => address.toLowerCase();
const cash = (wallet: TestPayer): string => `usdc:${network}:${lower(wallet)}`;
const transit = `in-transit:${network}`;
let node: LocalChain;
let payer: TestPayer;
let world: World;
let service: Service;

beforeEach(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: lower(till) })]);
  payer = await fundedPayer(node, 1);
  for (const { address } of [payer, till, treasury, stranger, neighbour]) await fundEth(node.rpcUrl, address);
  service = await startService(world, { RPC_URL: node.rpcUrl, DUST_BELOW: '100', RECONCILE_GRACE_SECONDS: '0' });
}, 120_000);
afterEach(async () => {
  await service.close();
  await Promise.all([world.close(), node.kill()]);
});

async function send(from: TestPayer, to: TestPayer, value: bigint): Promise<void> {
  await transferUsdc(node.rpcUrl, { privateKey: from.privateKey, to: to.address, value });
}

async function name(wallet: TestPayer, kind: string, since?: string): Promise<void> {
  const body = { address: wallet.address, kind, label: `the ${kind}`, ...(since !== undefined && { since }) };
  const answer = await service.call('/wallets', { body });
  expect(answer.status).toBe(201);
}

/** A full audit; the open breaks that it leaves, as `class: amount`. */
async function audit(): Promise<readonly string[]> {
  expect((await service.reconcile({ scope: 'full' })).status).toBe(200);
  const rows = await world.rows<{ text: string }>(
    `select concat_ws(': ', class, amount) as text from billing.break where status = 'open' order by class, amount`,
  );
  return rows.map(({ text }) => text);
}

/** The books hold what the chain says, wallet by wallet. */
async function expectBalances(...wallets: readonly TestPayer[]): Promise<void> {
  const booked = await balances(world);
  for (const wallet of wallets) {
    expect(BigInt(booked[cash(wallet)] ?? 0)).toBe(await usdcBalance(node.rpcUrl, wallet.address));
  }
}

async function month(): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  const answer = await service.call(`/months/${world.clock().toISOString().slice(0, 7)}/report`);
  const { wallets } = answer.body as {
    wallets: { wallet: string; asset: string; movements: { kind: string; amount: string }[] }[];
  };
  return Object.fromEntries(
    wallets
      .filter(({ asset }) => asset === 'USDC')
      .map(({ wallet, movements }) => [wallet, Object.fromEntries(movements.map((each) => [each.kind, each.amount]))]),
  );
}

describe('a treasury wallet that is named', () => {
  it('makes what the till sends it a sweep: posted from wallet to wallet, with no break', async () => {
    await mintUsdc(node.rpcUrl, till.address, 5_000n);
    await name(treasury, 'treasury');
    await send(till, treasury, 3_000n);
    expect(await audit()).toEqual(['unknown-inbound: 5000']);
    expect(await balances(world)).toEqual({
      [cash(till)]: '2000',
      [cash(treasury)]: '3000',
      'unidentified-receipts': '-5000',
    });
    await expectBalances(till, treasury);
    const sweeps = await service.call('/reports/sweeps');
    expect((sweeps.body as { items: unknown[] }).items).toMatchObject([
      { from: lower(till), to: lower(treasury), amount: '0.003000', asset: 'USDC' },
    ]);
    expect(await month()).toEqual({
      [lower(till)]: { sweep: '-0.003000', unidentified: '0.005000' },
      [lower(treasury)]: { sweep: '0.003000' },
    });
  }, 120_000);

  it('moves what was booked before it had a name, and back when it turns out to be somebody else’s', async () => {
    await mintUsdc(node.rpcUrl, till.address, 5_000n);
    await send(till, treasury, 3_000n);
    await send(treasury, till, 1_000n);
    expect(await audit()).toEqual(['unknown-inbound: 1000', 'unknown-inbound: 5000']);
    expect(await balances(world)).toMatchObject({ 'treasury-out': '3000', 'unidentified-receipts': '-6000' });
    await name(treasury, 'treasury');
    expect(await audit()).toEqual(['unknown-inbound: 5000']);
    const swept = await balances(world);
    expect(swept).toEqual({ [cash(till)]: '3000', [cash(treasury)]: '2000', 'unidentified-receipts': '-5000' });
    expect(await month()).toMatchObject({ [lower(treasury)]: { sweep: '0.002000' } });
    const found = await service.call(`/wallets/${treasury.address}`);
    expect(found.body).toMatchObject({ kind: 'treasury', applied: true });
    const changed = await service.call(`/wallets/${treasury.address}`, {
      method: 'PATCH',
      body: { kind: 'other' },
      headers: { 'if-match': found.headers.get('etag') ?? '' },
    });
    expect(changed.status).toBe(200);
    expect(await audit()).toEqual(['unknown-inbound: 1000', 'unknown-inbound: 5000']);
    expect(await balances(world)).toMatchObject({ 'treasury-out': '3000', 'unidentified-receipts': '-6000' });
    await expectBalances(till, treasury);
  }, 120_000);

  it('counts from the time on from which it is ours: what it held before is its opening balance', async () => {
    await mintUsdc(node.rpcUrl, treasury.address, 700n);
    await mintUsdc(node.rpcUrl, till.address, 500n);
    await send(till, treasury, 100n);
    const latest = (await callRpc(node.rpcUrl, 'eth_getBlockByNumber', ['latest', false])) as { timestamp: Hex };
    const since = new Date((Number(latest.timestamp) + 5) * 1_000);
    await callRpc(node.rpcUrl, 'evm_setNextBlockTimestamp', [Number(latest.timestamp) + 10]);
    await send(till, treasury, 150n);
    // What left before anybody had named a treasury is asked of nobody.
    world.clock.set(new Date(Date.now() + 3_600_000).toISOString());
    await name(treasury, 'treasury', since.toISOString());
    expect(await audit()).toEqual(['unknown-inbound: 500']);
    expect(await balances(world)).toEqual({
      [cash(till)]: '250',
      [cash(treasury)]: '950',
      'opening-balance': '-800',
      'treasury-out': '100',
      'unidentified-receipts': '-500',
    });
  }, 120_000);

  it('is a sweep by authorization too, which no entry has to record', async () => {
    await name(treasury, 'treasury');
    await mintUsdc(node.rpcUrl, treasury.address, 900n);
    await settle(node, [{ payer: treasury, payTo: till.address, amount: 400n }]);
    expect(await audit()).toEqual(['unknown-inbound: 900']);
    expect(await balances(world)).toEqual({
      [cash(till)]: '400',
      [cash(treasury)]: '500',
      'unidentified-receipts': '-900',
    });
    expect(await world.rows('select * from billing.open_payment')).toEqual([]);
  }, 120_000);

  it('survives that the block of a sweep is orphaned: both sides are undone', async () => {
    await name(treasury, 'treasury');
    await mintUsdc(node.rpcUrl, till.address, 500n);
    await node.mine(1);
    await send(till, treasury, 200n);
    await audit();
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await audit();
    const booked = await balances(world);
    expect([booked[transit], booked[cash(treasury)]]).toEqual([undefined, undefined]);
    await expectBalances(till, treasury);
  }, 120_000);

  it('makes what leaves for a wallet without a name a break, which a resolution closes by giving it one', async () => {
    // A block says its time in whole seconds.
    world.clock.set(new Date(Date.now() - 3_600_000).toISOString());
    await name(treasury, 'treasury');
    await mintUsdc(node.rpcUrl, treasury.address, 900n);
    await send(treasury, stranger, 300n);
    expect(await audit()).toEqual(['unknown-inbound: 900', 'unknown-outbound: 300']);
    const { body } = await service.call('/breaks?class=unknown-outbound');
    const [found] = (body as { items: { id: string }[] }).items;
    const path = `/breaks/${found?.id}`;
    const resolved = await service.call(path, {
      method: 'PATCH',
      body: { resolution: 'our cold store', kind: 'other-wallet', wallet: { kind: 'treasury', label: 'Cold store' } },
      headers: { 'if-match': (await service.call(path)).headers.get('etag') ?? '' },
    });
    expect([resolved.status, resolved.body]).toMatchObject([200, { status: 'resolved' }]);
    expect(await audit()).toEqual(['unknown-inbound: 900']);
    expect(await balances(world)).toMatchObject({ [cash(stranger)]: '300', [cash(treasury)]: '600' });
    expect(await service.call('/audit?action=break.change')).toMatchObject({ status: 200 });
  }, 120_000);
});

describe('another service that shares the till', () => {
  it('explains what comes from its wallet, and by what sends its payments, once it is named', async () => {
    await mintUsdc(node.rpcUrl, neighbour.address, 900n);
    await send(neighbour, till, 250n);
    await settle(node, [{ payer, payTo: till.address, amount: 4_000n }]);
    expect(await audit()).toEqual(['settled-not-recorded: 4000', 'unknown-inbound: 250']);
    await name(neighbour, 'service');
    // Who settles in the tests.
    await name(testPayer(90), 'service');
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual({
      [cash(till)]: '4250',
      [`other-service:${network}:${lower(neighbour)}`]: '-250',
      [`other-service:${network}:${lower(testPayer(90))}`]: '-4000',
    });
    // What is theirs is sent on to them.
    await send(till, neighbour, 250n);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).not.toHaveProperty(`other-service:${network}:${lower(neighbour)}`);
  }, 120_000);

  it('claims nothing that an entry of ours records', async () => {
    await name(testPayer(90), 'service');
    const [paid] = await settle(node, [{ payer, payTo: till.address, amount: 4_000n }]);
    if (paid === undefined) throw new Error('no payment');
    await audit();
    await world.log.paidCall(paid);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual({ [cash(till)]: '4000', 'revenue:x402:forecast': '-4000' });
  }, 120_000);
});

describe('what anybody may send', () => {
  it('a thousand transfers of nothing, some in our name, leave no break, no balance and no open payment', async () => {
    await callRpc(node.rpcUrl, 'anvil_impersonateAccount', [stranger.address]);
    const nothing = (from: TestPayer, to: TestPayer): Hex =>
      encodeFunctionData({ abi: transferFrom, functionName: 'transferFrom', args: [from.address, to.address, 0n] });
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    let last: Hex = '0x';
    for (let nth = 0; nth < 1_000; nth += 1) {
      const data = nth % 2 === 0 ? nothing(stranger, till) : nothing(till, stranger);
      const call = { from: stranger.address, to: usdcAddress, data, gas: '0x20000' };
      last = (await callRpc(node.rpcUrl, 'eth_sendTransaction', [call])) as Hex;
    }
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    while ((await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [last])) === null) await node.mine(1);
    const nonce: Hex = `0x${'07'.repeat(32)}`;
    await settle(node, [{ payer: stranger, payTo: till.address, amount: 0n, nonce }]);
    expect(await audit()).toEqual([]);
    const [kept] = await world.rows('select count(*)::int as count from billing.chain_transfer where dust');
    expect(kept).toEqual({ count: 1_001 });
    expect(await balances(world)).toEqual({});
    expect(await world.rows('select * from billing.open_payment')).toEqual([]);
    const listed = await service.call('/reports/dust?limit=200');
    expect((listed.body as { items: unknown[] }).items).toHaveLength(200);
  }, 180_000);

  it('dust stands in an account of its own, and the wallet holds what the chain says', async () => {
    await mintUsdc(node.rpcUrl, stranger.address, 1_000n);
    await send(stranger, till, 99n);
    await send(stranger, till, 100n);
    await settle(node, [{ payer, payTo: till.address, amount: 1n }]);
    expect(await audit()).toEqual(['unknown-inbound: 100']);
    expect(await balances(world)).toEqual({
      [cash(till)]: '200',
      [`dust:${network}`]: '-100',
      'unidentified-receipts': '-100',
    });
    await expectBalances(till);
    expect(await month()).toEqual({ [lower(till)]: { dust: '0.000100', unidentified: '0.000100' } });
  }, 120_000);

  it('a payment as small as dust that an entry records is a payment', async () => {
    const [paid] = await settle(node, [{ payer, payTo: till.address, amount: 2n }]);
    if (paid === undefined) throw new Error('no payment');
    expect(await audit()).toEqual([]);
    await world.log.paidCall(paid);
    expect(await audit()).toEqual([]);
    expect(await balances(world)).toEqual({ [cash(till)]: '2', 'revenue:x402:forecast': '-2' });
  }, 120_000);
});

describe('what is owed back to a wallet of a customer', () => {
  let api: OperatorsApi;
  beforeEach(async () => {
    api = await startOperatorsApi(world);
    await service.close();
    service = await startService(world, {
      RPC_URL: node.rpcUrl,
      DUST_BELOW: '100',
      RECONCILE_GRACE_SECONDS: '0',
      API_URL: api.url,
    });
  }, 120_000);
  afterEach(async () => api.close());

  /** What the API's operators' routes answer. */
  async function askApi(path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${api.url}/admin/refunds${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  it('becomes credit of the customer, once, is owed no longer, and is paid by no refund', async () => {
    const [paid] = await settle(node, [{ payer, payTo: till.address, amount: 4_000n }]);
    if (paid === undefined) throw new Error('no payment');
    const entry = await world.log.refundDue(paid);
    expect(await audit()).toEqual(['refund-due: 4000']);
    const made = await service.call('/customers', {
      body: { legalName: 'Acme', address: 'Street 2', language: 'en', reportingCurrency: 'USD', paymentDays: 14 },
    });
    expect([made.status, made.text]).toEqual([201, expect.any(String)]);
    const path = `/customers/${(made.body as { id: string }).id}`;
    const credit = async (): Promise<number> =>
      (await service.call(`${path}/credit/refund`, { body: { entry } })).status;
    expect(await credit()).toBe(409);
    // The API is told of nothing that is not credited.
    expect(await askApi(`/${entry}`)).toMatchObject({ status: 404 });
    expect((await service.call(`${path}/wallets`, { body: { address: payer.address } })).status).toBe(200);
    const proposed = { network, asset: usdcAddress.toLowerCase(), payer: lower(payer) };
    await world.rows(
      `insert into keyfare.refund (entry_id, network, asset, payer, amount, state, proposed_by, proposed_name, proposed_at)
        values ($1, $2, $3, $4, 4000, 'proposed', 'opr_1', 'ann', now())`,
      [entry, proposed.network, proposed.asset, proposed.payer],
    );
    expect(await credit()).toBe(409);
    expect(await audit()).toEqual(['refund-due: 4000']);
    expect(await askApi(`/${entry}/reject`, {})).toMatchObject({ status: 200 });
    expect([await credit(), await credit()]).toEqual([200, 409]);
    expect(await askApi(`/${entry}`)).toMatchObject({ body: { state: 'credited', amount: '4000' } });
    expect(await askApi('', { entries: [entry] })).toMatchObject({ status: 409, body: { code: 'refund/conflict' } });
    expect((await service.call(`${path}/credit`)).body).toMatchObject({ balance: '0.004000' });
    expect(await audit()).toEqual([]);
    const booked = await balances(world);
    expect(booked).not.toHaveProperty('refunds-due');
    expect(booked).toMatchObject({ 'conversion:usdc': '-4000', 'conversion:usd': '4000' });
    const report = await service.call('/reports/refunds');
    expect(report.body).toMatchObject({ items: [{ state: 'credited', refundTransaction: null }] });
    // A customer's wallet can have no other name.
    const named = { address: payer.address, kind: 'service', label: 'x' };
    expect((await service.call('/wallets', { body: named })).status).toBe(409);
  }, 120_000);
});

describe('the list of wallets', () => {
  it('has the till of the configuration, which stays ours, refuses a name twice, and keeps who did what', async () => {
    await audit();
    const { body } = await service.call('/wallets');
    expect(body).toMatchObject({ items: [{ address: lower(till), kind: 'till', addedBy: null, network }] });
    await name(treasury, 'treasury');
    const again = { address: treasury.address, kind: 'service', label: 'x' };
    expect(await service.call('/wallets', { body: again })).toMatchObject({ status: 409 });
    const tag = (await service.call(`/wallets/${till.address}`)).headers.get('etag') ?? '';
    const asOther = { method: 'PATCH', body: { kind: 'other' }, headers: { 'if-match': tag } };
    expect(await service.call(`/wallets/${till.address}`, asOther)).toMatchObject({ status: 409 });
    expect(await service.call(`/wallets/${stranger.address}`)).toMatchObject({ status: 404 });
    const told = await service.call('/audit?action=wallet.add');
    expect(told.body).toMatchObject({ items: [{ subject: lower(treasury), before: null }] });
  }, 120_000);
});
