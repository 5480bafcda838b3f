import { fundedPayer, paymentHeaderV2, type TestPayer, testPayer, usdcRequirements } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { PaymentService } from '../src/services.js';
import { counted, GiftController, given } from './free-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, decodeHeader, rows, signPayment, submitAsStranger, verifiedReceipt } from './requests.js';

/** A clock at the next noon in UTC, so that no day turns while a test runs. */
const aheadMs = (36 * 3_600_000 - (Date.now() % 86_400_000)) % 86_400_000;
const clock = (): Date => new Date(Date.now() + aheadMs);

/** Free calls per wallet. */
describe('a wallet that shows a payment', () => {
  let ground: Ground;
  let node: Proxy;
  let gates: readonly [GateUnderTest, GateUnderTest];
  let payer = 500;

  beforeAll(async () => {
    ground = await openGround();
    node = await openProxy(ground.chain.rpcUrl);
    const start = async () =>
      startGate(ground, { clock, controllers: [GiftController, TestController], env: { RPC_URL: node.url } });
    gates = [await start(), await start()];
  }, 60_000);
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await node.close();
    await ground.close();
  }, 60_000);

  const inHours = (hours: number): bigint => BigInt(Math.floor(clock().getTime() / 1_000) + hours * 3_600);
  const sign = async (wallet: TestPayer, more: { value?: bigint; validBefore?: bigint } = {}) =>
    signPayment(ground, wallet, { validBefore: inHours(1), ...more });
  const nextPayer = async (amount?: bigint): Promise<TestPayer> => {
    payer += 1;
    return amount === 0n ? testPayer(payer) : fundedPayer(ground.chain, payer, amount);
  };
  const payments = async (wallet: TestPayer): Promise<number> =>
    (await rows(ground.database.url, 'select 1 from keyfare.payment where payer = $1', [wallet.address.toLowerCase()]))
      .length;

  it('is served for nothing while its free calls last: nothing is claimed or moved, and the same payment pays for the next', async () => {
    const wallet = await nextPayer();
    const { v2 } = await sign(wallet);
    const before = await usdcBalance(ground.chain.rpcUrl, wallet.address);
    for (const [index, gate] of gates.entries()) {
      const answer = await call(gate, '/gift/wallet', { headers: v2 });
      expect(answer.status).toBe(200);
      expect(await verifiedReceipt(gate, answer)).toMatchObject({
        rail: 'free',
        principal: wallet.address.toLowerCase(),
        amount: '0',
      });
      expect(decodeHeader(answer.headers, 'payment-response')).toMatchObject({
        success: true,
        transaction: '',
        amount: '0',
        payer: wallet.address.toLowerCase(),
      });
      expect(answer.headers.get('ratelimit')).toContain(`"free";r=${1 - index};`);
    }
    expect(await payments(wallet)).toBe(0);
    expect(await usdcBalance(ground.chain.rpcUrl, wallet.address)).toBe(before);
    const paid = await call(gates[0], '/gift/wallet', { headers: v2 });
    expect(paid.status).toBe(200);
    expect(await verifiedReceipt(gates[0], paid)).toMatchObject({
      rail: 'x402',
      amount: '1000',
      settlement: 'settled',
    });
    expect(await usdcBalance(ground.chain.rpcUrl, wallet.address)).toBe(before - 1_000n);
  });

  it('is told by the 402 what it may have: a caller without one is served nothing', async () => {
    const answer = await call(gates[0], '/gift/wallet');
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/required']);
    expect(answer.body['free']).toMatchObject({ calls: 2, per: 'wallet', period: 'day' });
    expect(answer.body['free']).not.toHaveProperty('remaining');
    expect(answer.headers.get('ratelimit')).toBeNull();
  });

  it('gets nothing for nothing when it could not pay what it signs, and has no row', async () => {
    const { taken } = await counted(ground, 'wallet');
    const broke = await nextPayer(0n);
    const answer = await call(gates[0], '/gift/wallet', { headers: (await sign(broke)).v2 });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/insufficient-funds']);
    const cheap = await nextPayer();
    const less = await call(gates[0], '/gift/wallet', { headers: (await sign(cheap, { value: 1n })).v2 });
    expect(less.status).toBe(402);
    expect((await counted(ground, 'wallet')).taken).toBe(taken);
  });

  it('must sign for itself: a payment whose signature is not by its key gives nothing', async () => {
    const wallet = await nextPayer();
    const { payload } = await sign(wallet);
    const first = payload.signature.slice(2, 4) === '11' ? '12' : '11';
    const forged = { ...payload, signature: `0x${first}${payload.signature.slice(4)}` as const };
    const headers = {
      'payment-signature': paymentHeaderV2({ payload: forged, accepted: usdcRequirements(ground.payTo, 1_000n) }),
    };
    const answer = await call(gates[0], '/gift/wallet', { headers });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/invalid-signature']);
    expect(await given(ground, 'wallet')).toBe(2);
  });

  it('is not who presents what the chain has made public: a used authorization takes none of its free calls', async () => {
    const wallet = await nextPayer();
    const { v2, payload } = await sign(wallet);
    await submitAsStranger(ground, payload);
    const answer = await call(gates[0], '/gift/wallet', { headers: v2 });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/already-used']);
    const own = await call(gates[0], '/gift/wallet', { headers: (await sign(wallet)).v2 });
    expect(own.headers.get('ratelimit')).toContain('r=1;');
  });

  it('gets its stored answer for a payment that was served, and not a free call', async () => {
    const wallet = await nextPayer();
    const { v2 } = await sign(wallet);
    const paid = await call(gates[0], '/ping', { headers: v2 });
    expect(paid.status).toBe(200);
    const again = await call(gates[1], '/ping', { headers: v2 });
    expect(again.headers.get('idempotent-replay')).toBe('true');
    const elsewhere = await call(gates[1], '/gift/wallet', { headers: v2 });
    expect([elsewhere.status, elsewhere.body['code']]).toEqual([402, 'payment/replayed']);
  });

  it('on the block list is refused', async () => {
    const wallet = await nextPayer();
    await gates[0].app.get(PaymentService).blockList.block(wallet.address, 'test');
    const answer = await call(gates[1], '/gift/wallet', { headers: (await sign(wallet)).v2 });
    expect([answer.status, answer.body['code']]).toEqual([403, 'payment/payer-blocked']);
  });

  it('shares with all wallets what is given away in total: new ones pay', async () => {
    const wallets = [await nextPayer(), await nextPayer(), await nextPayer(), await nextPayer()];
    const rails: string[] = [];
    for (const [index, wallet] of wallets.entries()) {
      const gate = gates[index % 2] ?? gates[0];
      const answer = await call(gate, '/gift/wallets', { headers: (await sign(wallet)).v2 });
      rails.push((await verifiedReceipt(gate, answer)).rail);
    }
    expect(rails).toEqual(['free', 'free', 'x402', 'x402']);
    expect(await counted(ground, 'wallets')).toMatchObject({ taken: 2, holds: 0 });
  });

  it('pays on credit after its free call on a deferred route', async () => {
    const wallet = await nextPayer();
    const { v2 } = await sign(wallet, { validBefore: inHours(20) });
    const rails: string[] = [];
    for (let index = 0; index < 2; index += 1) {
      const answer = await call(gates[0], '/gift/later', { headers: v2 });
      const receipt = await verifiedReceipt(gates[0], answer);
      rails.push(receipt.rail === 'x402' ? `${receipt.rail} ${receipt.settlement}` : receipt.rail);
    }
    expect(rails).toEqual(['free', 'x402 deferred']);
  });

  it('is answered 503 while the chain is away: neither served unseen nor charged', async () => {
    const wallet = await nextPayer();
    const { v2 } = await sign(wallet);
    node.handle = (_incoming, response) => {
      response.destroy();
      return true;
    };
    const answer = await call(gates[0], '/gift/wallet', { headers: v2 });
    node.reset();
    expect([answer.status, answer.body['code']]).toEqual([503, 'service/chain-unavailable']);
    expect(await payments(wallet)).toBe(0);
  });
});
