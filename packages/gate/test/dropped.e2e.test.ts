import { randomBytes } from 'node:crypto';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { openTcpProxy, type TcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ReplicaId } from '../src/replica-id.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, verifiedReceipt, withKey } from './requests.js';

/** A payment whose process lost the database, or lost sight of it, at the worst moments. */
describe('a payment that nobody holds', () => {
  let ground: Ground;
  let wire: TcpProxy;
  let node: Proxy;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    const url = new URL(ground.database.url);
    wire = await openTcpProxy(Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(wire.port);
    node = await openProxy(ground.chain.rpcUrl);
    gate = await startGate(ground, {
      env: {
        MIGRATION_DATABASE_URL: ground.database.url,
        DATABASE_URL: url.href,
        RPC_URL: node.url,
        // No sweep within the test: what is shown here does without, and its commits would be taken for others.
        REPLICA_TTL_MS: '600000',
        SETTLE_TIMEOUT_MS: '4000',
      },
    });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await wire.close();
    await node.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    node.reset();
    TestController.work.runs = 0;
  });
  afterEach(() => wire.mend());

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const find = async (sql: string, nonce: string): Promise<number> =>
    (await rows(ground.database.url, sql, [nonce])).length;
  const isSubmitted = async (nonce: string): Promise<boolean> =>
    (await find(`select 1 from keyfare.payment where nonce = $1 and state = 'settling'`, nonce)) === 1;
  const usage = async (nonce: string): Promise<number> =>
    find(
      `select 1 from keyfare.entry e join keyfare.payment p on p.exchange_id = e.id
        where e.kind = 'call' and e.units is not null and p.nonce = $1`,
      nonce,
    );
  const served = async (headers: Record<string, string>): Promise<number> =>
    settled(async () => (await call(gate, '/ping', { headers })).status, 200);

  /** The payment is answered with what was made for it, it moved money once, and it is counted once. */
  async function expectServedOnce(payment: Awaited<ReturnType<typeof signPayment>>, before: bigint): Promise<void> {
    expect(await served(payment.v2)).toBe(200);
    const again = await call(gate, '/ping', { headers: payment.v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect(again.body).toMatchObject({ pong: true });
    expect(await verifiedReceipt(gate, again)).toMatchObject({ nonce: payment.nonce, rail: 'x402' });
    expect(await paid()).toBe(before + 1_000n);
    expect(await usage(payment.nonce)).toBe(1);
    expect(TestController.work.runs).toBe(1);
  }

  it('because the database went away between the broadcast and the post is served when it is back', async () => {
    const before = await paid();
    const payment = await signPayment(ground, payer);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    const answer = call(gate, '/ping', { headers: payment.v2 });
    expect(await settled(() => isSubmitted(payment.nonce), true)).toBe(true);
    wire.cut();
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
    await ground.chain.mine();
    const refused = await answer;
    expect([refused.status, refused.body['code']]).toEqual([503, 'payment/outcome-unknown']);
    expect(refused.headers.has('payment-required')).toBe(false);
    wire.mend();
    await expectServedOnce(payment, before);
  }, 30_000);

  it.each([
    ['heard', 'after'],
    ['did not hear', 'before'],
  ] as const)(
    'because the database went away just as it %s of the submission’s commit is broadcast all the same',
    async (_name, when) => {
      const before = await paid();
      const payment = await signPayment(ground, payer);
      TestController.work.pause();
      const answer = call(gate, '/ping', { headers: payment.v2 });
      await settled(async () => TestController.work.runs, 1);
      const cut = wire.cutAt('COMMIT', when, 'keyfare_store_settlements');
      TestController.work.resume();
      await cut;
      expect(await settled(() => isSubmitted(payment.nonce), true)).toBe(true);
      // Who did not hear waits for the database; who heard goes on without it.
      if (when === 'before') wire.mend();
      expect([200, 503]).toContain((await answer).status);
      wire.mend();
      await expectServedOnce(payment, before);
      // No nonce of the wallet was left out: the next one is mined as well.
      const next = await signPayment(ground, payer);
      // The pool may still hold a connection that the cut broke: the first who meets it is told 503.
      expect(await served(next.v2)).toBe(200);
    },
    30_000,
  );

  it('that could not be stored is not broadcast, and is served when the database is back', async () => {
    const before = await paid();
    const payment = await signPayment(ground, payer);
    TestController.work.pause();
    const answer = call(gate, '/ping', { headers: payment.v2 });
    await settled(async () => TestController.work.runs, 1);
    wire.cut();
    TestController.work.resume();
    expect((await answer).status).toBe(503);
    expect(node.batches.flat().some(({ method }) => method === 'eth_sendRawTransaction')).toBe(false);
    expect(await paid()).toBe(before);
    wire.mend();
    expect(await served(payment.v2)).toBe(200);
    expect(await paid()).toBe(before + 1_000n);
  }, 30_000);
});

describe('a gate that is told to end', () => {
  it('ends, and answers the call in doubt with 503, though the database has gone away under it', async () => {
    const ground = await openGround();
    const url = new URL(ground.database.url);
    const wire = await openTcpProxy(Number(url.port));
    url.hostname = '127.0.0.1';
    url.port = String(wire.port);
    const env = { MIGRATION_DATABASE_URL: ground.database.url, DATABASE_URL: url.href, REPLICA_TTL_MS: '60000' };
    const gate = await startGate(ground, { env });
    const { secret } = await gate.issueKey();
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    TestController.work.pause();
    const runs = TestController.work.runs;
    const answer = call(gate, '/ping', withKey(secret));
    await settled(async () => TestController.work.runs, runs + 1);
    const cut = wire.cutAt('SELECT 1', 'before');
    TestController.work.resume();
    await cut;
    await gate.close();
    expect((await answer).status).toBe(503);
    await wire.close();
    await ground.close();
  }, 40_000);
});

describe('a sweep', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, {
      env: { REPLICA_TTL_MS: '1000', HANDLER_TIMEOUT_MS: '2000', SETTLE_TIMEOUT_MS: '1000' },
    });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const nobody = '00000000-0000-4000-8000-000000000000';
  const adopt = async (nonce: string, replica: string): Promise<void> => {
    await rows(ground.database.url, 'update keyfare.payment set replica_id = $2 where nonce = $1', [nonce, replica]);
  };
  const claims = async (): Promise<number> => (await rows(ground.database.url, 'select 1 from keyfare.payment')).length;

  /** A claim as a statement leaves it whose answer was lost: the row is there, and no process knows of it. */
  async function plant(replica: string): Promise<Record<string, string>> {
    const { v2, payload } = await signPayment(ground, payer);
    const { from, to, value, validAfter, validBefore, nonce } = payload.authorization;
    const values = ['eip155:84532', '0x036cbd53842c5426634e7929541ec2318f3dcf7e', from.toLowerCase(), nonce, replica];
    // The exposure first, for a sweep may come between the two.
    await rows(
      ground.database.url,
      `insert into keyfare.payer_exposure values ($1, $2, $3, $4) on conflict (network, asset, payer)
       do update set open = payer_exposure.open + excluded.open`,
      [values[0], values[1], values[2], value],
    );
    await rows(
      ground.database.url,
      `insert into keyfare.payment (network, asset, payer, nonce, exchange_id, replica_id, fingerprint, pay_to, amount,
        valid_after, valid_before, signature, claimed_at)
       values ($1, $2, $3, $4, gen_random_uuid(), $5, $6, $7, $8, $9, $10, $11, now())`,
      [...values, randomBytes(32), to, value, validAfter, validBefore, Buffer.from(payload.signature.slice(2), 'hex')],
    );
    return v2;
  }

  it.each(['nobody', 'this process, which does not know of it'])(
    'frees a claim of %s, and the payment can be used',
    async (whose) => {
      const headers = await plant(whose === 'nobody' ? nobody : gate.app.get(ReplicaId).id);
      expect(await settled(claims, 0)).toBe(0);
      expect(await settled(async () => (await call(gate, '/ping', { headers })).status, 200)).toBe(200);
      const [open] = await rows(ground.database.url, 'select open from keyfare.payer_exposure');
      expect(open ?? { open: '0' }).toEqual({ open: '0' });
      await rows(ground.database.url, 'delete from keyfare.payment');
    },
    20_000,
  );

  it('follows a submitted payment of its own process that nobody watches', async () => {
    const other = await startGate(ground, { env: { SETTLE_TIMEOUT_MS: '300', REPLICA_TTL_MS: '60000' } });
    const { v2, nonce } = await signPayment(ground, payer);
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [false]);
    expect((await call(other, '/ping', { headers: v2 })).status).toBe(503);
    await adopt(nonce, gate.app.get(ReplicaId).id);
    await other.close();
    await callRpc(ground.chain.rpcUrl, 'evm_setAutomine', [true]);
    await ground.chain.mine();
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
  }, 20_000);
});
