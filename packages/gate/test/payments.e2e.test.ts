import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, randomNonce, signAuthorization, type TestPayer } from '@keyfare/devstack/payers';
import { fundEth, installWallet, mintUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { createWalletClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { baseSepolia } from 'viem/chains';
import { Settlements } from '../src/settling.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, submitAsStranger, verifiedReceipt } from './requests.js';
import { spawnGate } from './spawn-gate.js';

describe('payments', () => {
  let ground: Ground;
  let gates: readonly [GateUnderTest, GateUnderTest];
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gates = [await startGate(ground), await startGate(ground)];
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const state = async (nonce: string): Promise<string | undefined> => {
    const [row] = await rows<{ state: string }>(
      ground.database.url,
      `select case state when 'final' then 'settled' else state end as state from keyfare.payment where nonce = $1`,
      [nonce],
    );
    return row?.state;
  };
  const exposure = async (of: TestPayer): Promise<string> => {
    const [row] = await rows<{ open: string }>(
      ground.database.url,
      'select open from keyfare.payer_exposure where payer = $1',
      [of.address.toLowerCase()],
    );
    return row?.open ?? '0'; // at zero the row is deleted
  };

  const isOnNode = async (nonce: string): Promise<boolean> => {
    const [stored] = await rows<{ transaction: string }>(
      ground.database.url,
      `select s.transaction from keyfare.settlement s join keyfare.payment p
        on p.wallet = s.wallet and p.wallet_nonce = s.wallet_nonce where p.nonce = $1`,
      [nonce],
    );
    if (stored === undefined) return false;
    return (await callRpc(ground.chain.rpcUrl, 'eth_getTransactionByHash', [stored.transaction])) !== null;
  };

  it('fired 50 times at once at two gates, moves money once and runs the handler once', async () => {
    const before = await paid();
    const { v2 } = await signPayment(ground, payer);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => call(gates[index % 2] ?? gates[0], '/ping', { headers: v2 })),
    );
    expect(TestController.work.runs).toBe(1);
    expect(await paid()).toBe(before + 1_000n);
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].every((status) => status === 200 || status === 409)).toBe(true);
    const served = answers.filter(({ status }) => status === 200);
    expect(new Set(served.map(({ headers }) => headers.get('receipt-id'))).size).toBe(1);
    expect(served.filter(({ headers }) => !headers.has('idempotent-replay'))).toHaveLength(1);
  }, 30_000);

  it('a hundred different ones at once are all settled, each with its own receipt, and share transactions', async () => {
    const before = await paid();
    const payments = await Promise.all(Array.from({ length: 100 }, () => signPayment(ground, payer)));
    const answers = await Promise.all(
      payments.map(({ v1, v2 }, index) =>
        call(gates[index % 2] ?? gates[0], '/ping', { headers: index % 3 === 0 ? v1 : v2 }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await paid()).toBe(before + 100_000n);
    const receipts = await Promise.all(answers.map((answer) => verifiedReceipt(gates[0], answer)));
    expect(new Set(receipts.map((receipt) => (receipt.rail === 'x402' ? receipt.transaction : ''))).size).toBeLessThan(
      100,
    );
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(100);
    expect(await exposure(payer)).toBe('0');
  }, 30_000);

  it('a wallet with funds for one payment that sends twenty at once is served once, and works for nobody else', async () => {
    const poor = await fundedPayer(ground.chain, 2, 1_500n);
    const payments = await Promise.all(Array.from({ length: 20 }, () => signPayment(ground, poor)));
    const answers = await Promise.all(
      payments.map(({ v2 }, index) => call(gates[index % 2] ?? gates[0], '/ping', { headers: v2 })),
    );
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    expect([count(200), count(402)]).toEqual([1, 19]);
    expect(TestController.work.runs).toBe(1);
    expect(await settled(() => exposure(poor), '0')).toBe('0');
  });

  it('submitted by somebody else first is settled all the same, with their transaction', async () => {
    const { v2, payload } = await signPayment(ground, payer);
    TestController.work.pause();
    const answer = call(gates[0], '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    const hash = await submitAsStranger(ground, payload);
    TestController.work.resume();
    const served = await answer;
    expect(served.status).toBe(200);
    expect(await verifiedReceipt(gates[0], served)).toMatchObject({ transaction: hash });
  });

  it('whose nonce was used to pay somebody else while it was served is not settled: 402, and an entry says so', async () => {
    const before = await paid();
    const nonce = randomNonce();
    const { v2 } = await signPayment(ground, payer, { nonce });
    const other = await signAuthorization({ payer, to: payer.address, value: 1n, nonce, validBefore: 4_000_000_000n });
    TestController.work.pause();
    const answer = call(gates[0], '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    await submitAsStranger(ground, other);
    TestController.work.resume();
    const refused = await answer;
    expect([refused.status, refused.body['code']]).toEqual([402, 'payment/failed']);
    expect(refused.headers.has('keyfare-receipt')).toBe(false);
    expect(refused.headers.has('payment-required')).toBe(true);
    expect(await paid()).toBe(before);
    expect(await state(nonce)).toBe('failed');
    const entries = await rows(
      ground.database.url,
      `select e.kind from keyfare.entry e join keyfare.payment p on p.exchange_id = e.id where p.nonce = $1`,
      [nonce],
    );
    expect(entries).toEqual([{ kind: 'unpaid' }]);
    const retry = await call(gates[1], '/ping', { headers: v2 });
    expect([retry.status, retry.body['code']]).toEqual([402, 'payment/failed']);
    expect(await exposure(payer)).toBe('0');
  });

  it('used on the chain before it is presented is refused: 402 payment/already-used, and no handler runs', async () => {
    const nonce = randomNonce();
    const { v2 } = await signPayment(ground, payer, { nonce });
    const own = await signAuthorization({ payer, to: payer.address, value: 1n, nonce, validBefore: 4_000_000_000n });
    await submitAsStranger(ground, own);
    const answer = await call(gates[0], '/ping', { headers: v2 });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/already-used']);
    expect(TestController.work.runs).toBe(0);
  });

  it.each([2n ** 63n, 2n ** 256n - 1n])(
    'valid until %i is refused and nothing is claimed: what may revert is followed until it runs out',
    async (validBefore) => {
      const { v2 } = await signPayment(ground, payer, { validBefore });
      const answer = await call(gates[0], '/ping', { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([402, 'payment/mismatched']);
      expect(
        await rows(ground.database.url, `select 1 from keyfare.payment where valid_before = ${validBefore}`),
      ).toEqual([]);
    },
  );

  it('of a key whose account has code is judged by the code (EIP-7702): no handler runs and no gas is spent where it says no', async () => {
    const delegated = await fundedPayer(ground.chain, 5);
    await callRpc(ground.chain.rpcUrl, 'anvil_setCode', [delegated.address, '0x00']);
    const wallet = privateKeyToAccount(ground.env['SETTLER_PRIVATE_KEY'] as `0x${string}`).address;
    const count = async (): Promise<unknown> =>
      callRpc(ground.chain.rpcUrl, 'eth_getTransactionCount', [wallet, 'latest']);
    const before = await count();
    const { v2, nonce } = await signPayment(ground, delegated);
    const answer = await call(gates[0], '/ping', { headers: v2 });
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/invalid-signature']);
    expect(TestController.work.runs).toBe(0);
    expect(await count()).toBe(before);
    expect(await settled(() => state(nonce), undefined)).toBeUndefined();
  });

  it('of a wallet contract is proven by the contract (ERC-1271), and settled', async () => {
    const wallet = `0x${randomBytes(20).toString('hex')}` as const;
    await installWallet(ground.chain.rpcUrl, wallet, payer.address);
    await mintUsdc(ground.chain.rpcUrl, wallet, 5_000n);
    const before = await paid();
    const { v2 } = await signPayment(ground, payer, { from: wallet });
    const answer = await call(gates[0], '/ping', { headers: v2 });
    expect(answer.status).toBe(200);
    expect(await verifiedReceipt(gates[0], answer)).toMatchObject({ payer: wallet });
    expect(await paid()).toBe(before + 1_000n);
  });

  it('of a process that is killed after the broadcast is ended by another, and its call can be fetched by the same payment', async () => {
    const before = await paid();
    const dying = await spawnGate(ground);
    const { v2, nonce } = await signPayment(ground, payer);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    try {
      const answer = call(dying, '/ping', { headers: v2 }).catch(() => 'cut off');
      expect(await settled(() => isOnNode(nonce), true)).toBe(true);
      await dying.kill();
      expect(await answer).toBe('cut off');
      expect(await state(nonce)).toBe('settling');
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
    }
    expect(await settled(() => state(nonce), 'settled')).toBe('settled');
    const answer = await call(gates[0], '/ping', { headers: v2 });
    expect([answer.status, answer.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect((await verifiedReceipt(gates[0], answer)).rail).toBe('x402');
    expect(await paid()).toBe(before + 1_000n);
    expect(TestController.work.runs).toBe(0);
  }, 30_000);

  it('that nobody mines is offered again with higher fees, under the same nonce', async () => {
    const keen = await startGate(ground, { env: { REPLACE_AFTER_MS: '1500' } });
    const { v2, nonce } = await signPayment(ground, payer);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    const answer = call(keen, '/ping', { headers: v2 });
    const offers = async (): Promise<number> => {
      const found = await rows(
        ground.database.url,
        `select s.max_fee_per_gas from keyfare.settlement s join keyfare.payment p
          on p.wallet = s.wallet and p.wallet_nonce = s.wallet_nonce where p.nonce = $1`,
        [nonce],
      );
      return found.length;
    };
    try {
      expect(await settled(async () => (await offers()) >= 2, true)).toBe(true);
    } finally {
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
      await ground.chain.mine();
    }
    expect((await answer).status).toBe(200);
    expect(await verifiedReceipt(keen, await answer)).toMatchObject({ nonce });
    await keen.close();
  });

  it('is not worked for while the settler has no money for gas: 503, and it is settled when it has', async () => {
    const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
    const poor = await startGate(ground, { env: { SETTLER_PRIVATE_KEY: settlerKey, SETTLE_TIMEOUT_MS: '500' } });
    const [first, second] = [await signPayment(ground, payer), await signPayment(ground, payer)];
    expect((await call(poor, '/ping', { headers: first.v2 })).status).toBe(503);
    // The caller may have been answered before the node has refused.
    expect(await settled(async () => poor.app.get(Settlements).refuses('eip155:84532'), true)).toBe(true);
    const runs = TestController.work.runs;
    const refused = await call(poor, '/ping', { headers: second.v2 });
    expect([refused.status, refused.body['code']]).toEqual([503, 'service/chain-unavailable']);
    expect(TestController.work.runs).toBe(runs);
    await fundEth(ground.chain.rpcUrl, privateKeyToAccount(settlerKey).address);
    expect(await settled(async () => (await call(poor, '/ping', { headers: second.v2 })).status, 200)).toBe(200);
    expect(await settled(() => state(first.nonce), 'settled')).toBe('settled');
    await poor.close();
  });

  it('is settled under a fresh nonce when something else used the wallet', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    const before = await paid();
    const wallet = privateKeyToAccount(ground.env['SETTLER_PRIVATE_KEY'] as `0x${string}`);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    TestController.work.pause();
    const answer = call(gates[0], '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    const client = createWalletClient({ account: wallet, chain: baseSepolia, transport: http(ground.chain.rpcUrl) });
    await client.sendTransaction({ to: wallet.address, value: 0n, gas: 21_000n });
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
    await ground.chain.mine();
    TestController.work.resume();
    expect((await answer).status).toBe(200);
    expect(await state(nonce)).toBe('settled');
    expect(await paid()).toBe(before + 1_000n);
  });
});
