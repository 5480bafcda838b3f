import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { fundEth, transferUsdc, usdcAbi, usdcAddress, usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { createWalletClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';
import { PaymentService } from '../src/services.js';
import { EitherController, FlowsController } from './flows-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, decodeHeader, rows, settled, signPayment, verifiedReceipt } from './requests.js';

describe('the flows of a payment', () => {
  let ground: Ground;
  let node: Proxy;
  /** The same chain, which says that it is Base. */
  let baseNode: Proxy;
  let gate: GateUnderTest;
  let patient: GateUnderTest;
  let payer: TestPayer;
  const controllers = [TestController, FlowsController, EitherController];
  const short = { SETTLE_TIMEOUT_MS: '3000', HANDLER_TIMEOUT_MS: '3000', REPLICA_TTL_MS: '2000', CONFIRMATIONS: '0' };

  beforeAll(async () => {
    ground = await openGround();
    [node, baseNode] = await Promise.all([openProxy(ground.chain.rpcUrl), openProxy(ground.chain.rpcUrl)]);
    baseNode.answer = ({ method }) => (method === 'eth_chainId' ? { result: '0x2105' } : undefined);
    const env = { ...short, NETWORKS: 'base', RPC_URL_BASE: baseNode.url, RPC_URL: node.url };
    gate = await startGate(ground, {
      controllers,
      env: { ...env, DEFERRED_AGE_SECONDS: '1', DEFERRED_INTERVAL_MS: '100' },
    });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await patient?.close();
    await gate.close();
    await Promise.all([node.close(), baseNode.close()]);
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    node.reset();
    FlowsController.runs = 0;
    FlowsController.fails = false;
  });

  /** The gate's node is away: nothing is collected. */
  const withoutNode = (): void => {
    node.handle = (_incoming, response) => Boolean(response.writeHead(503).end());
  };
  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const row = async (nonce: string): Promise<Record<string, unknown> | undefined> =>
    (
      await rows<Record<string, unknown>>(ground.database.url, 'select * from keyfare.payment where nonce = $1', [
        nonce,
      ])
    )[0];
  const state = async (nonce: string): Promise<unknown> => (await row(nonce))?.['state'];
  const kinds = async (of: TestPayer, kind: string): Promise<number> =>
    (
      await rows(ground.database.url, 'select 1 from keyfare.entry where principal = $1 and kind = $2', [
        of.address.toLowerCase(),
        kind,
      ])
    ).length;

  it('upfront: the money has moved before the handler runs, and the receipt names the transaction', async () => {
    const before = await paid();
    const { v2, nonce } = await signPayment(ground, payer);
    const answer = await call(gate, '/upfront', { headers: v2 });
    expect(answer.status).toBe(200);
    expect(await paid()).toBe(before + 1_000n);
    expect(await verifiedReceipt(gate, answer)).toMatchObject({ nonce, settlement: 'settled' });
    expect(FlowsController.runs).toBe(1);
    const again = await call(gate, '/upfront', { headers: v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect(FlowsController.runs).toBe(1);
    expect(await settled(() => state(nonce), 'final')).toBe('final');
  });

  it('upfront: when the handler fails a refund is due, once, and the payment buys nothing again: 409', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    FlowsController.fails = true;
    const failed = await call(gate, '/upfront', { headers: v2 });
    expect(failed.status).toBe(500);
    expect(failed.headers.has('keyfare-receipt')).toBe(false);
    expect((await row(nonce))?.['refund_due_at']).not.toBeNull();
    expect(await kinds(payer, 'refund-due')).toBe(1);
    FlowsController.fails = false;
    const again = await call(gate, '/upfront', { headers: v2 });
    expect([again.status, again.body['code']]).toEqual([409, 'payment/refund-due']);
    expect(await kinds(payer, 'refund-due')).toBe(1);
    expect(FlowsController.runs).toBe(1);
  });

  it.each([
    ['names what was sold', 31, 'before', 'update keyfare.payment set sku = sku where nonce = $1'],
    [
      'of a claim from before rows kept it says unknown',
      36,
      'unknown',
      'update keyfare.payment set sku = null where nonce = $1',
    ],
  ])(
    'upfront: a caller who was sent away while the chain was slow is owed a refund when the money moves; its entry %s',
    async (_what, wallet, sku, change) => {
      const spender = await fundedPayer(ground.chain, wallet);
      const { v2, nonce } = await signPayment(ground, spender);
      await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
      try {
        expect((await call(gate, '/upfront', { headers: v2 })).status).toBe(503);
        await rows(ground.database.url, change, [nonce]);
      } finally {
        await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
        await ground.chain.mine();
      }
      expect(await settled(() => kinds(spender, 'refund-due'), 1)).toBe(1);
      const says = `select convert_from(payload, 'UTF8')::jsonb ->> 'sku' as sku from keyfare.entry
      where kind = 'refund-due' and principal = $1`;
      expect(await rows(ground.database.url, says, [spender.address.toLowerCase()])).toEqual([{ sku }]);
      expect((await call(gate, '/upfront', { headers: v2 })).body['code']).toBe('payment/refund-due');
      expect([FlowsController.runs, (await row(nonce))?.['call']]).toEqual([0, null]);
    },
    20_000,
  );

  it('deferred: served and receipted without a transaction, then collected in bulk, one transaction for many', async () => {
    const before = await paid();
    const payments = await Promise.all(Array.from({ length: 12 }, () => signPayment(ground, payer)));
    const answers = await Promise.all(payments.map(({ v2 }) => call(gate, '/deferred', { headers: v2 })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const [first] = answers;
    if (first === undefined) throw new Error('no answer');
    const receipt = await verifiedReceipt(gate, first);
    expect(receipt).toMatchObject({ settlement: 'deferred' });
    expect(receipt).not.toHaveProperty('transaction');
    expect(FlowsController.runs).toBe(12);
    expect(await settled(paid, before + 12_000n)).toBe(before + 12_000n);
    expect(await settled(() => kinds(payer, 'settlement'), 12)).toBe(12);
    const found = await rows<{ transaction: string }>(
      ground.database.url,
      `select distinct transaction from keyfare.payment where flow = 'deferred'`,
    );
    expect(found.length).toBeLessThan(12);
    const open = async (): Promise<number> =>
      (await rows(ground.database.url, 'select 1 from keyfare.payer_exposure')).length;
    expect(await settled(open, 0)).toBe(0);
    const again = await call(gate, '/deferred', { headers: payments[0]?.v2 ?? {} });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
  }, 20_000);

  it('deferred: one payment fired 30 times at once at two processes runs the handler once', async () => {
    patient ??= await startGate(ground, {
      controllers,
      env: { ...short, NETWORKS: 'base', RPC_URL_BASE: baseNode.url },
    });
    const { v2, nonce } = await signPayment(ground, payer);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => call(index % 2 === 0 ? gate : patient, '/deferred', { headers: v2 })),
    );
    expect(FlowsController.runs).toBe(1);
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(await settled(() => state(nonce), 'final')).toBe('final');
  }, 20_000);

  it('deferred: a payer may have so much open, and no more: 503 before the handler', async () => {
    const limited = await startGate(ground, {
      controllers,
      env: {
        ...short,
        NETWORKS: 'base',
        RPC_URL_BASE: baseNode.url,
        MAX_OPEN_PER_PAYER_USD: '0.002',
        DEFERRED_INTERVAL_MS: '300000',
      },
    });
    const spender = await fundedPayer(ground.chain, 32);
    const send = async (): Promise<[number, unknown]> => {
      const answer = await call(limited, '/deferred', { headers: (await signPayment(ground, spender)).v2 });
      return [answer.status, answer.body['code']];
    };
    // The other gate collects what is due of everybody; without its node it frees nothing of the exposure.
    withoutNode();
    expect((await send())[0]).toBe(200);
    expect((await send())[0]).toBe(200);
    expect(await send()).toEqual([503, 'payment/exposure-exceeded']);
    expect(FlowsController.runs).toBe(2);
    node.reset();
    await limited.close();
  }, 20_000);

  it('deferred: a row that cannot move hurts no other; when it never will, the call is unpaid and off the exposure', async () => {
    const spender = await fundedPayer(ground.chain, 33, 1_000n);
    const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 600n;
    const bad = await signPayment(ground, spender, { validBefore });
    const good = await signPayment(ground, payer);
    expect((await call(gate, '/deferred', { headers: bad.v2 })).status).toBe(200);
    // Not collected before the money is gone.
    withoutNode();
    await fundEth(ground.chain.rpcUrl, spender.address);
    await transferUsdc(ground.chain.rpcUrl, {
      privateKey: spender.privateKey,
      to: testPayer(99).address,
      value: 1_000n,
    });
    node.reset();
    const served = async (): Promise<number> => (await call(gate, '/deferred', { headers: good.v2 })).status;
    expect(await settled(served, 200)).toBe(200);
    expect(await settled(() => state(good.nonce), 'final')).toBe('final');
    expect(await state(bad.nonce)).not.toBe('final');
    await rows(ground.database.url, 'select 1');
    await callRpc(ground.chain.rpcUrl, 'evm_setNextBlockTimestamp', [`0x${(validBefore + 31n).toString(16)}`]);
    await ground.chain.mine();
    expect(await settled(() => state(bad.nonce), 'expired')).toBe('expired');
    expect(await kinds(spender, 'unpaid')).toBe(1);
    const open = async (): Promise<number> =>
      (
        await rows(ground.database.url, 'select 1 from keyfare.payer_exposure where payer = $1', [
          spender.address.toLowerCase(),
        ])
      ).length;
    expect(await settled(open, 0)).toBe(0);
  }, 40_000);

  it('a payer on the block list is refused in every flow, and nothing is claimed', async () => {
    const blocked = await fundedPayer(ground.chain, 34);
    const service = gate.app.get(PaymentService);
    await service.blockList.block(blocked.address, 'test');
    const { v2, nonce } = await signPayment(ground, blocked);
    for (const path of ['/ping', '/upfront', '/deferred']) {
      const answer = await call(gate, path, { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([403, 'payment/payer-blocked']);
    }
    expect(await row(nonce)).toBeUndefined();
    await service.blockList.unblock(blocked.address);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
  });

  it('several offers stand in one 402, in both versions, and the payment picks its own', async () => {
    const asked = await call(gate, '/either');
    expect(decodeHeader(asked.headers, 'payment-required')['accepts']).toMatchObject([
      { network: 'eip155:84532', amount: '2000' },
      { network: 'eip155:84532', amount: '1000', payTo: '0x00000000000000000000000000000000000000aa' },
      { network: 'eip155:8453', amount: '3000' },
    ]);
    expect(asked.body['accepts']).toMatchObject([{ network: 'base-sepolia' }, {}, { network: 'base' }]);
    const upfront = await signPayment(ground, payer, { to: '0x00000000000000000000000000000000000000aa' });
    const first = await call(gate, '/either', { headers: upfront.v2 });
    expect(await verifiedReceipt(gate, first)).toMatchObject({ settlement: 'settled', amount: '1000' });
    const deferred = await signPayment(ground, payer, { value: 2_000n });
    const second = await call(gate, '/either', { headers: deferred.v2 });
    expect(await verifiedReceipt(gate, second)).toMatchObject({ settlement: 'deferred', amount: '2000' });
    const neither = await call(gate, '/either', { headers: (await signPayment(ground, payer, { value: 999n })).v2 });
    expect([neither.status, neither.body['code']]).toEqual([402, 'payment/mismatched']);
  });

  it('a token that is paused, or that has the payer on its list, refuses before the handler, in its own words', async () => {
    const listed = await fundedPayer(ground.chain, 35);
    const { v2 } = await signPayment(ground, listed);
    await fundEth(ground.chain.rpcUrl, listed.address);
    const { rpcUrl } = ground.chain;
    const client = createWalletClient({ account: listed.account, chain: baseSepolia, transport: http(rpcUrl) });
    const { address } = listed;
    const hash = await client.writeContract({
      address: usdcAddress,
      abi: usdcAbi,
      functionName: 'blacklist',
      args: [address],
    });
    const mined = async (): Promise<unknown> => callRpc(rpcUrl, 'eth_getTransactionReceipt', [hash]);
    expect(await settled(async () => (await mined()) !== null, true)).toBe(true);
    // However long the claim takes to be given up: after the refusal nothing is claimed, so none says it was used.
    await rows(
      ground.database.url,
      `create function public.slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(0.3); return old; end $$;
      create trigger slowly before delete on keyfare.payment for each row execute function public.slowly()`,
    );
    for (const path of ['/ping', '/upfront', '/deferred']) {
      const answer = await call(gate, path, { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([402, 'payment/refused-by-token']);
      expect(answer.body['detail']).toMatch(/blacklisted/);
    }
    await rows(ground.database.url, 'drop trigger slowly on keyfare.payment');
    expect(FlowsController.runs).toBe(0);
  });

  it('gas above the ceiling, or that eats the payment, is 503 before the handler and charges nothing', async () => {
    const base = { ...short, NETWORKS: 'base', RPC_URL_BASE: baseNode.url };
    for (const [env, code] of [
      [{ MAX_GAS_PRICE_GWEI: '0.000000001' }, 'payment/gas-ceiling'],
      [{ MAX_GAS_PERCENT: '100', ETHER_PRICE_USD: '1000000000' }, 'payment/unprofitable'],
    ] as const) {
      const careful = await startGate(ground, { controllers, env: { ...base, ...env } });
      const { v2, nonce } = await signPayment(ground, payer);
      const answer = await call(careful, '/upfront', { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([503, code]);
      expect(await settled(() => state(nonce), undefined)).toBeUndefined();
      await careful.close();
    }
    expect(FlowsController.runs).toBe(0);
  }, 20_000);

  it('what is wrong without asking anybody costs no question to the chain and no row', async () => {
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const stranger = testPayer(77);
    const spoiled = [
      { value: 999n },
      { to: testPayer(9).address },
      { validBefore: now - 7_200n },
      { validBefore: now + 90_000n },
      { validAfter: now + 600n },
    ];
    const nonces: string[] = [];
    // Payments of the tests before are still being collected: their questions are not counted.
    const asked = (): number =>
      node.batches
        .flat()
        .filter(
          ({ method, params }) =>
            method === 'eth_getCode' ||
            (method === 'eth_call' && nonces.some((nonce) => JSON.stringify(params).includes(nonce.slice(2)))),
        ).length;
    for (const request of spoiled) {
      const { v2, nonce } = await signPayment(ground, payer, request);
      nonces.push(nonce);
      expect((await call(gate, '/ping', { headers: v2 })).status).toBe(402);
    }
    expect(asked()).toBe(0);
    // A signature that no key of the payer's made: one bounded look for code, then none.
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { v2, nonce } = await signPayment(ground, stranger, { from: payer.address });
      nonces.push(nonce);
      expect((await call(gate, '/ping', { headers: v2 })).body['code']).toBe('payment/invalid-signature');
    }
    expect(asked()).toBeGreaterThan(0);
    expect(asked()).toBeLessThanOrEqual(3);
  });
});
