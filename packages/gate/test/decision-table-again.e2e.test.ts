import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import {
  fundedPayer,
  paymentHeaderV1,
  paymentHeaderV2,
  type TestPayer,
  testPayer,
  usdcRequirements,
} from '@keyfare/devstack/payers';
import { installWallet, mintUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Post } from '@nestjs/common';
import { concat, decodeFunctionData, parseAbi, toHex } from 'viem';
import { Priced } from '../src/tariff.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, decodeHeader, settled, signPayment, verifiedReceipt } from './requests.js';

const byParts = parseAbi([
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
]);

/** One URL, two methods. */
@Controller()
class TwoMethods {
  @Priced({ sku: 'both', price: '$0.001' })
  @Get('both')
  read(): object {
    return { by: 'get' };
  }

  @Priced({ sku: 'both', price: '$0.001' })
  @Post('both')
  write(): object {
    return { by: 'post' };
  }
}

/** The rows of the table in docs/decisions/0003 on a payment that was presented before. */
describe('a payment presented again', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  it('a payment already claimed, same request, finished: the stored response again, and no second charge', async () => {
    const { v2 } = await signPayment(ground, payer);
    const first = await call(gate, '/ping', { headers: v2 });
    const before = await paid();
    const again = await call(gate, '/ping', { headers: v2 });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotent-replay')).toBe('true');
    expect(first.headers.has('idempotent-replay')).toBe(false);
    expect(again.headers.get('keyfare-receipt')).toBe(first.headers.get('keyfare-receipt'));
    expect(again.headers.get('payment-response')).toBe(first.headers.get('payment-response'));
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(TestController.work.runs).toBe(1);
    expect(await paid()).toBe(before);
  });

  it('a payment already claimed, same request, and nothing shows that the caller is its owner: 409, no body, no receipt', async () => {
    const { v2, payload } = await signPayment(ground, payer);
    const first = await call(gate, '/ping', { headers: v2 });
    const { transaction } = decodeHeader(first.headers, 'payment-response') as { transaction: `0x${string}` };
    // All that a stranger knows: the calldata of the settlement.
    const sent = (await callRpc(ground.chain.rpcUrl, 'eth_getTransactionByHash', [transaction])) as {
      input: `0x${string}`;
    };
    const { args } = decodeFunctionData({ abi: byParts, data: sent.input });
    const [from, to, value, validAfter, validBefore, nonce, v, r, s] = args;
    const authorization = {
      from: from.toLowerCase() as `0x${string}`,
      to: to.toLowerCase() as `0x${string}`,
      value: value.toString(),
      validAfter: validAfter.toString(),
      validBefore: validBefore.toString(),
      nonce,
    };
    expect(authorization.nonce).toBe(payload.authorization.nonce);
    const rebuilt = { authorization, signature: concat([r, s, toHex(v)]) };
    const accepted = usdcRequirements(ground.payTo, 1_000n);
    for (const headers of [
      { 'payment-signature': paymentHeaderV2({ payload: rebuilt, accepted }) },
      { 'x-payment': paymentHeaderV1({ payload: rebuilt }) },
      { 'payment-signature': paymentHeaderV2({ payload: rebuilt, accepted }), 'idempotency-key': 'guessed' },
    ]) {
      const stranger = await call(gate, '/ping', { headers: headers as Record<string, string> });
      expect([stranger.status, stranger.body['code']]).toEqual([409, 'payment/served']);
      expect(stranger.body).not.toHaveProperty('pong');
      expect(stranger.headers.has('keyfare-receipt')).toBe(false);
      expect(stranger.headers.has('receipt-id')).toBe(false);
    }
    expect(TestController.work.runs).toBe(1);
  });

  it('a payment already claimed, same request, still running: 409 with Retry-After', async () => {
    const { v2 } = await signPayment(ground, payer);
    TestController.work.pause();
    const first = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    const second = await call(gate, '/ping', { headers: v2 });
    expect([second.status, second.body['code']]).toEqual([409, 'payment/in-progress']);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
    TestController.work.resume();
    expect((await first).status).toBe(200);
    expect(TestController.work.runs).toBe(1);
  });

  it('a payment already claimed by another request: 402 payment/replayed, and nothing runs', async () => {
    const { v2 } = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    for (const path of ['/other', '/ping?again']) {
      const answer = await call(gate, path, { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([402, 'payment/replayed']);
    }
    expect(TestController.work.runs).toBe(1);
  });

  it('a payment already claimed by the same URL with another method: 402 payment/replayed, and nothing runs', async () => {
    const both = await startGate(ground, { controllers: [TwoMethods], env: { PUBLIC_URL: 'http://api.test' } });
    try {
      const { v2 } = await signPayment(ground, payer);
      const first = await call(both, '/both', { headers: v2 });
      expect([first.status, first.body]).toEqual([200, { by: 'get' }]);
      const other = await call(both, '/both', { method: 'POST', headers: v2 });
      expect([other.status, other.body['code']]).toEqual([402, 'payment/replayed']);
    } finally {
      await both.close();
    }
  });

  it('a payment already claimed by the same route with another body: 402 payment/replayed', async () => {
    const { v2 } = await signPayment(ground, payer, { value: 2_000n });
    const post = (text: string) =>
      call(gate, '/echo', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...v2 },
        body: JSON.stringify({ text }),
      });
    const first = await post('one');
    expect([first.status, first.body]).toEqual([200, { text: 'one' }]);
    expect((await verifiedReceipt(gate, first)).requestDigest).toMatch(/^sha-256=:/);
    const other = await post('two');
    expect([other.status, other.body['code']]).toEqual([402, 'payment/replayed']);
    const same = await post('one');
    expect([same.status, same.headers.get('idempotent-replay')]).toEqual([200, 'true']);
  });

  it('settlement outcome unknown: 503 with Retry-After; the same payment again is served when the chain has spoken', async () => {
    const patient = await startGate(ground, { env: { SETTLE_TIMEOUT_MS: '300', PUBLIC_URL: 'http://api.test' } });
    try {
      const { v2 } = await signPayment(ground, payer);
      const before = await paid();
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
      const first = await call(patient, '/ping', { headers: v2 });
      expect([first.status, first.body['code']]).toEqual([503, 'payment/outcome-unknown']);
      expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(first.headers.has('payment-required')).toBe(false);
      // 409 while it is still being submitted.
      let retry = first;
      const again = async (): Promise<number> => (retry = await call(patient, '/ping', { headers: v2 })).status;
      expect(await settled(again, 503)).toBe(503);
      expect(retry.headers.has('payment-required')).toBe(false);
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
      expect(await settled(async () => (await call(patient, '/ping', { headers: v2 })).status, 200)).toBe(200);
      const last = await call(patient, '/ping', { headers: v2 });
      expect(last.headers.get('idempotent-replay')).toBe('true');
      expect((await verifiedReceipt(patient, last)).rail).toBe('x402');
      expect(await paid()).toBe(before + 1_000n);
      expect(TestController.work.runs).toBe(1);
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await patient.close();
    }
  });

  it('a wallet contract’s payment (ERC-1271), same request: 409 while it runs, 503 while unknown, then the stored response', async () => {
    const wallet = `0x${randomBytes(20).toString('hex')}` as const;
    await installWallet(ground.chain.rpcUrl, wallet, payer.address);
    await mintUsdc(ground.chain.rpcUrl, wallet, 5_000n);
    const before = await paid();
    const patient = await startGate(ground, { env: { SETTLE_TIMEOUT_MS: '300', PUBLIC_URL: 'http://api.test' } });
    try {
      const { v2, payload } = await signPayment(ground, payer, { from: wallet });
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
      TestController.work.pause();
      const first = call(patient, '/ping', { headers: v2 });
      await settled(async () => TestController.work.runs, 1);
      const running = await call(patient, '/ping', { headers: v2 });
      expect([running.status, running.body['code']]).toEqual([409, 'payment/in-progress']);
      TestController.work.resume();
      expect((await first).status).toBe(503);
      const unknown = await settled(
        async () => (await call(patient, '/ping', { headers: v2 })).body['code'],
        'payment/outcome-unknown',
      );
      expect(unknown).toBe('payment/outcome-unknown');
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
      expect(await settled(async () => (await call(patient, '/ping', { headers: v2 })).status, 200)).toBe(200);
      const again = await call(gate, '/ping', { headers: v2 });
      expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
      const elsewhere = await call(gate, '/other', { headers: v2 });
      expect([elsewhere.status, elsewhere.body['code']]).toEqual([402, 'payment/replayed']);
      const tampered = await signPayment(ground, testPayer(66), { from: wallet, nonce: payload.authorization.nonce });
      expect((await call(gate, '/ping', { headers: tampered.v2 })).body['code']).toBe('payment/invalid-signature');
      expect(await paid()).toBe(before + 1_000n);
      expect(TestController.work.runs).toBe(1);
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await patient.close();
    }
  }, 15_000);
});
