import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, testPayer } from '@keyfare/devstack/payers';
import { fundEth, installWallet, mintUsdc, transferUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { FlowsController } from './flows-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment } from './requests.js';

/** What bounds the risk that a provider takes with payments. */
describe('the limits of payments', () => {
  let ground: Ground;
  let gate: GateUnderTest | undefined;
  const controllers = [TestController, FlowsController];

  beforeAll(async () => {
    ground = await openGround();
  }, 30_000);
  afterAll(async () => ground.close(), 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
    FlowsController.runs = 0;
  });
  afterEach(async () => {
    await gate?.close();
    gate = undefined;
    await rows(
      ground.database.url,
      'delete from keyfare.payment; delete from keyfare.payer_exposure; delete from keyfare.open_total',
    );
  }, 30_000);

  async function start(env: Readonly<Record<string, string>>): Promise<GateUnderTest> {
    gate = await startGate(ground, {
      controllers,
      env: { SETTLE_TIMEOUT_MS: '3000', HANDLER_TIMEOUT_MS: '3000', ...env },
    });
    return gate;
  }

  it('all payers together may have so much open, and no more: 503 before the handler, and nothing is claimed', async () => {
    const at = await start({ MAX_OPEN_TOTAL_USD: '0.003', DEFERRED_INTERVAL_MS: '300000' });
    const payers = await Promise.all([51, 52, 53, 54].map((index) => fundedPayer(ground.chain, index)));
    const answers = await Promise.all(
      payers.map(async (payer) => call(at, '/deferred', { headers: (await signPayment(ground, payer)).v2 })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 503]);
    const refused = answers.find(({ status }) => status === 503);
    expect(refused?.body['code']).toBe('payment/exposure-exceeded');
    expect(refused?.headers.get('retry-after')).toMatch(/^[0-9]+$/);
    expect(FlowsController.runs).toBe(3);
    const claims = async (): Promise<number> =>
      (await rows(ground.database.url, 'select 1 from keyfare.payment')).length;
    expect(await settled(claims, 3)).toBe(3);
  }, 20_000);

  it('a payer whose settlements revert again and again is sent away before the handler, and others are not', async () => {
    const at = await start({});
    const spender = await fundedPayer(ground.chain, 55, 3_000n);
    const other = await fundedPayer(ground.chain, 56);
    const { rpcUrl } = ground.chain;
    await fundEth(rpcUrl, spender.address);
    TestController.work.pause();
    const answers = [0, 1, 2].map(async () => call(at, '/ping', { headers: (await signPayment(ground, spender)).v2 }));
    expect(await settled(async () => TestController.work.runs, 3)).toBe(3);
    await transferUsdc(rpcUrl, { privateKey: spender.privateKey, to: testPayer(97).address, value: 3_000n });
    TestController.work.resume();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([503, 503, 503]);
    await mintUsdc(rpcUrl, spender.address, 1_000n);
    const again = async (): Promise<unknown> =>
      (await call(at, '/ping', { headers: (await signPayment(ground, spender)).v2 })).body['code'];
    expect(await settled(again, 'payment/reverting')).toBe('payment/reverting');
    expect(TestController.work.runs).toBe(3);
    const fine = await call(at, '/ping', { headers: (await signPayment(ground, other)).v2 });
    expect(fine.status).toBe(200);
  }, 30_000);

  it('a wallet whose code needs more gas than a settlement may use is told so; with a higher limit it is served', async () => {
    const owner = await fundedPayer(ground.chain, 57);
    const wallet = `0x${randomBytes(20).toString('hex')}` as const;
    await installWallet(ground.chain.rpcUrl, wallet, owner.address, 400_000n);
    await mintUsdc(ground.chain.rpcUrl, wallet, 5_000n);
    const tight = await start({});
    const { v2 } = await signPayment(ground, owner, { from: wallet });
    const refused = await call(tight, '/ping', { headers: v2 });
    expect([refused.status, refused.body['code']]).toEqual([402, 'payment/gas-limit']);
    expect(TestController.work.runs).toBe(0);
    await tight.close();
    const wide = await start({ SETTLEMENT_GAS_LIMIT: '900000' });
    expect((await call(wide, '/ping', { headers: v2 })).status).toBe(200);
    expect(await usdcBalance(ground.chain.rpcUrl, wallet)).toBe(4_000n);
  }, 30_000);

  it('no settlement offers more for gas than the ceiling, though the room for a rising base fee would', async () => {
    await ground.chain.mine();
    const block = (await callRpc(ground.chain.rpcUrl, 'eth_getBlockByNumber', ['latest', false])) as BaseFee;
    const tip = (await callRpc(ground.chain.rpcUrl, 'eth_maxPriorityFeePerGas', [])) as string;
    const ceiling = (BigInt(block.baseFeePerGas) * 13n) / 10n + BigInt(tip);
    const at = await start({ MAX_GAS_PRICE_GWEI: (Number(ceiling) / 1e9).toFixed(9) });
    const payer = await fundedPayer(ground.chain, 58);
    const { v2, nonce } = await signPayment(ground, payer);
    expect((await call(at, '/ping', { headers: v2 })).status).toBe(200);
    const [settlement] = await rows<{ max_fee_per_gas: string }>(
      ground.database.url,
      `select s.max_fee_per_gas from keyfare.settlement s join keyfare.payment p on p.transaction = s.transaction
        where p.nonce = $1`,
      [nonce],
    );
    expect(BigInt(settlement?.max_fee_per_gas ?? 0)).toBe(ceiling);
  }, 20_000);
});

interface BaseFee {
  readonly baseFeePerGas: string;
}
