import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { fundEth, mintUsdc, transferUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAccount } from 'viem/accounts';
import { Settlements } from '../src/settling.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, submitAsStranger, verifiedReceipt } from './requests.js';

/** What happens between the work and the money, with a node that a test can make misbehave. */
describe('a settlement', () => {
  let ground: Ground;
  let node: Proxy;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    node = await openProxy(ground.chain.rpcUrl);
    gate = await startGate(ground, {
      env: {
        RPC_URL: node.url,
        RPC_TIMEOUT_MS: '1000',
        SETTLE_TIMEOUT_MS: '3000',
        HANDLER_TIMEOUT_MS: '20000',
        REPLACE_AFTER_MS: '1000',
      },
    });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await node.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    node.reset();
    TestController.work.runs = 0;
  });

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const automine = async (on: boolean): Promise<void> => {
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [on]);
    if (on) await ground.chain.mine();
  };
  const asked = (method: string): readonly unknown[] => node.batches.flat().filter((made) => made.method === method);
  const state = async (nonce: string): Promise<string | undefined> => {
    const found = await rows<{ state: string }>(
      ground.database.url,
      `select case state when 'final' then 'settled' else state end as state from keyfare.payment where nonce = $1`,
      [nonce],
    );
    return found[0]?.state;
  };
  const offers = async (nonce: string): Promise<readonly string[]> => {
    const found = await rows<{ transaction: string }>(
      ground.database.url,
      `select s.transaction from keyfare.settlement s join keyfare.payment p
        on p.wallet = s.wallet and p.wallet_nonce = s.wallet_nonce where p.nonce = $1`,
      [nonce],
    );
    return found.map(({ transaction }) => transaction);
  };

  it('is on disk before a byte of it is sent: a node that takes nothing finds it there', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    node.answer = ({ method }) =>
      method === 'eth_sendRawTransaction' ? { error: { code: -32_000, message: 'not now' } } : undefined;
    const answer = call(gate, '/ping', { headers: v2 });
    expect(await settled(async () => asked('eth_sendRawTransaction').length > 0, true)).toBe(true);
    const [stored] = await offers(nonce);
    expect(await callRpc(ground.chain.rpcUrl, 'eth_getTransactionByHash', [stored])).toBeNull();
    node.reset();
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
    expect([200, 503]).toContain((await answer).status);
    expect(TestController.work.runs).toBe(1);
  });

  it('that was offered higher fees for closes nothing: only the newest offer is sent again, and the next payment is served', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    await automine(false);
    const answer = call(gate, '/ping', { headers: v2 });
    try {
      expect(await settled(async () => (await offers(nonce)).length >= 4, true)).toBe(true);
      expect(await settled(async () => asked('eth_sendRawTransaction').length >= 4, true)).toBe(true);
    } finally {
      await automine(true);
    }
    const sent = asked('eth_sendRawTransaction').map((made) => (made as { params: string[] }).params[0]);
    expect(new Set(sent).size).toBe(sent.length);
    expect([200, 503]).toContain((await answer).status);
    const next = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: next.v2 })).status).toBe(200);
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
  }, 30_000);

  it('costs questions by the block, not by the payment: without a block no receipt is asked for twice', async () => {
    const payments = await Promise.all(Array.from({ length: 6 }, () => signPayment(ground, payer)));
    await automine(false);
    const answers = payments.map(({ v2 }) => call(gate, '/ping', { headers: v2 }));
    try {
      // They share transactions.
      expect(await settled(async () => asked('eth_sendRawTransaction').length >= 1, true)).toBe(true);
      const before = asked('eth_blockNumber').length;
      expect(await settled(async () => asked('eth_blockNumber').length >= before + 4, true)).toBe(true);
      expect(asked('eth_getTransactionReceipt').length).toBeLessThanOrEqual(6);
    } finally {
      await automine(true);
    }
    // On a slow machine four blocks take longer than a caller waits: the same payment has its answer then.
    for (const answer of await Promise.all(answers)) expect([200, 503]).toContain(answer.status);
    for (const { v2 } of payments) {
      expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
    }
  });

  it('that cannot be judged keeps no other waiting, and is judged when it can be', async () => {
    const [odd, even] = [await signPayment(ground, payer), await signPayment(ground, payer)];
    let poisoned: string | undefined;
    node.answer = ({ method, params }) =>
      method === 'eth_getTransactionReceipt' && (poisoned === undefined || params[0] === poisoned)
        ? { result: { transactionHash: 'nonsense' } }
        : undefined;
    const first = call(gate, '/ping', { headers: odd.v2 });
    expect(await settled(async () => (await offers(odd.nonce)).length, 1)).toBe(1);
    [poisoned] = await offers(odd.nonce);
    expect((await call(gate, '/ping', { headers: even.v2 })).status).toBe(200);
    expect((await first).status).toBe(503);
    node.reset();
    expect(await settled(async () => (await call(gate, '/ping', { headers: odd.v2 })).status, 200)).toBe(200);
  }, 30_000);

  it('that reverts while the authorization is good is no failure: 503 until somebody’s submission moves the money, then served', async () => {
    const spender = await fundedPayer(ground.chain, 21, 1_000n);
    const { v2, nonce, payload } = await signPayment(ground, spender);
    const before = await paid();
    TestController.work.pause();
    const answer = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    await transferUsdcOf(spender, 1_000n);
    TestController.work.resume();
    for (const refused of [await answer, await call(gate, '/ping', { headers: v2 })]) {
      expect([503, 409]).toContain(refused.status);
      expect(refused.headers.has('payment-required')).toBe(false);
    }
    expect(await state(nonce)).toBe('settling');
    await mintUsdc(ground.chain.rpcUrl, spender.address, 1_000n);
    await submitAsStranger(ground, payload);
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
    expect(await paid()).toBe(before + 1_000n);
    expect(TestController.work.runs).toBe(1);
  });

  it('that reverts is a failure when the authorization has run out on the chain: 402, and an entry says so', async () => {
    const spender = await fundedPayer(ground.chain, 22, 1_000n);
    const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 90n;
    const { v2, nonce } = await signPayment(ground, spender, { validBefore });
    TestController.work.pause();
    const answer = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    await transferUsdcOf(spender, 1_000n);
    TestController.work.resume();
    const refused = await answer;
    expect([refused.status, refused.body['code']]).toEqual([503, 'payment/outcome-unknown']);
    await callRpc(ground.chain.rpcUrl, 'evm_setNextBlockTimestamp', [`0x${(validBefore + 31n).toString(16)}`]);
    await ground.chain.mine();
    expect(await settled(() => state(nonce), 'expired')).toBe('expired');
    const last = await call(gate, '/ping', { headers: v2 });
    expect([last.status, last.body['code']]).toEqual([402, 'payment/failed']);
    const entries = await rows(
      ground.database.url,
      `select 1 from keyfare.entry e join keyfare.payment p on p.exchange_id = e.id where p.nonce = $1 and kind = 'unpaid'`,
      [nonce],
    );
    expect(entries).toHaveLength(1);
  });

  it('asks for fees once, not payment by payment, when the node hangs; nothing is charged, and all are served later', async () => {
    // A gate that knows no fees yet.
    const fresh = await startGate(ground, {
      env: { RPC_URL: node.url, RPC_TIMEOUT_MS: '1000', SETTLE_TIMEOUT_MS: '3000' },
    });
    TestController.work.pause();
    const payments = await Promise.all(Array.from({ length: 16 }, () => signPayment(ground, payer)));
    const before = await paid();
    const answers = payments.map(({ v2 }) => call(fresh, '/ping', { headers: v2 }));
    await settled(async () => TestController.work.runs, 16);
    let hung = 0;
    node.handle = () => {
      hung += 1;
      return true;
    };
    TestController.work.resume();
    const refused = await Promise.all(answers);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]));
    expect(hung).toBeLessThanOrEqual(4);
    node.reset();
    for (const { v2 } of payments) {
      expect(await settled(async () => (await call(fresh, '/ping', { headers: v2 })).status, 200)).toBe(200);
    }
    expect(await paid()).toBe(before + 16_000n);
    await fresh.close();
  }, 30_000);

  it('of an authorization that could run out while it is served is refused before the handler: 402 with the time it needs', async () => {
    const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 27n;
    const { v2, nonce } = await signPayment(ground, payer, { validBefore });
    const refused = await call(gate, '/ping', { headers: v2 });
    expect([refused.status, refused.body['code']]).toEqual([402, 'payment/expired']);
    expect(refused.body['detail']).toMatch(/valid for \d+ seconds more; a call may take 29/);
    expect(TestController.work.runs).toBe(0);
    expect(await state(nonce)).toBeUndefined();
    const inTime = await signPayment(ground, payer, { validBefore: validBefore + 3_000n });
    expect((await call(gate, '/ping', { headers: inTime.v2 })).status).toBe(200);
  });

  it('refused for want of gas money closes the rail to new work, not to what was served before', async () => {
    const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
    const { address } = privateKeyToAccount(settlerKey);
    await fundEth(ground.chain.rpcUrl, address);
    const poor = await startGate(ground, { env: { SETTLER_PRIVATE_KEY: settlerKey, SETTLE_TIMEOUT_MS: '500' } });
    const [before, first, second] = await Promise.all([1, 2, 3].map(() => signPayment(ground, payer)));
    if (before === undefined || first === undefined || second === undefined) throw new Error('no payments');
    expect(await settled(async () => (await call(poor, '/ping', { headers: before.v2 })).status, 200)).toBe(200);
    await fundEth(ground.chain.rpcUrl, address, 0n);
    expect((await call(poor, '/ping', { headers: first.v2 })).status).toBe(503);
    // The caller may have been answered before the node has refused.
    expect(await settled(async () => poor.app.get(Settlements).refuses('eip155:84532'), true)).toBe(true);
    const refused = await call(poor, '/ping', { headers: second.v2 });
    expect([refused.status, refused.body['code']]).toEqual([503, 'service/chain-unavailable']);
    const again = await call(poor, '/ping', { headers: before.v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect(TestController.work.runs).toBe(2);
    await fundEth(ground.chain.rpcUrl, address);
    expect(await settled(async () => (await call(poor, '/ping', { headers: second.v2 })).status, 200)).toBe(200);
    expect(await settled(() => state(first.nonce), 'settled')).toBe('settled');
    await poor.close();
  });

  it('finds a use of the authorization by somebody else however many blocks have come meanwhile', async () => {
    const { v2, payload } = await signPayment(ground, payer);
    TestController.work.pause();
    const answer = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    const hash = await submitAsStranger(ground, payload);
    // A thousand blocks in no time, as a chain of another pace would have them.
    await callRpc(ground.chain.rpcUrl, 'anvil_mine', ['0x3e8', '0x0']);
    TestController.work.resume();
    const served = await answer;
    expect(served.status).toBe(200);
    expect(await verifiedReceipt(gate, served)).toMatchObject({ transaction: hash });
  });

  async function transferUsdcOf(from: TestPayer, value: bigint): Promise<void> {
    await fundEth(ground.chain.rpcUrl, from.address);
    await transferUsdc(ground.chain.rpcUrl, { privateKey: from.privateKey, to: testPayer(99).address, value });
  }
});
