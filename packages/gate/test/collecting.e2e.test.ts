import { randomBytes } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { callRpc } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { patience } from '@keyfare/devstack/test-database';
import { fundEth, installWallet, mintUsdc, transferUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@keyfare/jest-preset/globals';
import { PaymentLedger } from '../src/settling.js';
import { FlowsController } from './flows-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment } from './requests.js';

/** When deferred payments are collected, and what keeps one of them from hurting the others. */
describe('deferred payments', () => {
  let ground: Ground;
  let gate: GateUnderTest | undefined;
  const controllers = [TestController, FlowsController];
  /** Nothing is due by itself: each test sets what it is about. */
  const never = {
    SETTLE_TIMEOUT_MS: '3000',
    HANDLER_TIMEOUT_MS: '3000',
    CONFIRMATIONS: '0',
    DEFERRED_AGE_SECONDS: '3000',
    DEFERRED_COUNT: '10000',
    DEFERRED_AMOUNT_USD: '1000',
    DEFERRED_INTERVAL_MS: '50',
    BALANCE_INTERVAL_MS: '600000',
  };

  beforeAll(async () => {
    ground = await openGround();
  }, 30_000);
  afterAll(async () => ground.close(), 30_000);
  beforeEach(() => {
    FlowsController.runs = 0;
  });
  afterEach(async () => {
    await gate?.close();
    await rows(
      ground.database.url,
      'delete from keyfare.payment; delete from keyfare.payer_exposure; delete from keyfare.open_total',
    );
  }, 30_000);

  async function start(env: Readonly<Record<string, string>>): Promise<GateUnderTest> {
    gate = await startGate(ground, { controllers, env: { ...never, ...env } });
    return gate;
  }

  async function serve(at: GateUnderTest, payer: TestPayer, request: Parameters<typeof signPayment>[2] = {}) {
    const signed = await signPayment(ground, payer, request);
    expect((await call(at, '/deferred', { headers: signed.v2 })).status).toBe(200);
    return signed.nonce;
  }

  const count = async (sql: string): Promise<number> => (await rows(ground.database.url, sql)).length;
  const served = async (): Promise<number> => count(`select 1 from keyfare.payment where state = 'served'`);
  const final = async (): Promise<number> => count(`select 1 from keyfare.payment where state = 'final'`);
  const transactions = async (): Promise<number> => count('select distinct transaction from keyfare.payment');

  /** The collector has looked three times more, so what waits still is not due. */
  async function threeTurns(at: GateUnderTest): Promise<void> {
    const ledger = at.app.get(PaymentLedger);
    const looks = jest.spyOn(ledger, 'waiting');
    expect(await settled(async () => looks.mock.calls.length >= 3, true)).toBe(true);
    looks.mockRestore();
  }

  it('are collected when there are enough of them, and not before', async () => {
    const at = await start({ DEFERRED_COUNT: '4' });
    const payer = await fundedPayer(ground.chain, 41);
    for (let sent = 0; sent < 3; sent += 1) await serve(at, payer);
    await threeTurns(at);
    expect(await served()).toBe(3);
    await serve(at, payer);
    expect(await settled(final, 4)).toBe(4);
    expect(await transactions()).toBe(1);
  }, 30_000);

  it('are collected when they come to enough, and not before', async () => {
    const at = await start({ DEFERRED_AMOUNT_USD: '0.003' });
    const payer = await fundedPayer(ground.chain, 42);
    await serve(at, payer);
    await serve(at, payer);
    await threeTurns(at);
    expect(await served()).toBe(2);
    await serve(at, payer);
    expect(await settled(final, 3)).toBe(3);
  }, 30_000);

  it('are collected from a payer whose balance no longer covers more, and from no other', async () => {
    const at = await start({ BALANCE_INTERVAL_MS: '50' });
    const [rich, poor] = [await fundedPayer(ground.chain, 43), await fundedPayer(ground.chain, 44, 3_000n)];
    await serve(at, rich);
    await serve(at, poor);
    await threeTurns(at);
    expect(await served()).toBe(2);
    const { rpcUrl } = ground.chain;
    await fundEth(rpcUrl, poor.address);
    await transferUsdc(rpcUrl, { privateKey: poor.privateKey, to: testPayer(98).address, value: 2_000n });
    expect(await settled(final, 1)).toBe(1);
    expect(await served()).toBe(1);
    expect(await usdcBalance(rpcUrl, poor.address)).toBe(0n);
  }, 30_000);

  it('are collected when the first would soon run out, however young', async () => {
    const ahead = { ms: 0 };
    gate = await startGate(ground, {
      controllers,
      env: { ...never, DEFERRED_MARGIN_SECONDS: '60' },
      clock: () => new Date(Date.now() + ahead.ms),
    });
    const payer = await fundedPayer(ground.chain, 45);
    await serve(gate, payer, { validBefore: BigInt(Math.floor(Date.now() / 1_000)) + 300n });
    await threeTurns(gate);
    expect(await served()).toBe(1);
    ahead.ms = 245_000;
    expect(await settled(final, 1)).toBe(1);
  }, 30_000);

  it('of a wallet whose code takes more gas than a row has go alone, and those beside it in bulk', async () => {
    const at = await start({ DEFERRED_COUNT: '5', SETTLEMENT_GAS_LIMIT: '900000' });
    const owner = await fundedPayer(ground.chain, 46);
    const wallet = `0x${randomBytes(20).toString('hex')}` as const;
    await installWallet(ground.chain.rpcUrl, wallet, owner.address, 400_000n);
    await mintUsdc(ground.chain.rpcUrl, wallet, 5_000n);
    const payer = await fundedPayer(ground.chain, 47);
    // The first to run out is the first row of the batch.
    const soon = BigInt(Math.floor(Date.now() / 1_000)) + 1_000n;
    const greedy = await serve(at, owner, { from: wallet, validBefore: soon });
    for (let sent = 0; sent < 4; sent += 1) await serve(at, payer);
    expect(await settled(final, 5)).toBe(5);
    const shared = await rows<{ count: string }>(
      ground.database.url,
      'select count(*) from keyfare.payment group by transaction order by 1',
    );
    expect(shared.map((one) => Number(one.count))).toEqual([1, 4]);
    const alone = await rows(
      ground.database.url,
      `select 1 from keyfare.payment p where nonce = $1 and
        not exists (select 1 from keyfare.payment o where o.transaction = p.transaction and o.nonce <> p.nonce)`,
      [greedy],
    );
    expect(alone).toHaveLength(1);
  }, 30_000);

  it.each(['', ', also where the database goes away under the first attempt'])(
    'that a mined batch did not move, though they could be, are sent once more alone%s',
    async (trouble) => {
      const at = await start({ DEFERRED_COUNT: '3', SETTLEMENT_GAS_LIMIT: '900000' });
      const owner = await fundedPayer(ground.chain, 48);
      const wallet = `0x${randomBytes(20).toString('hex')}` as const;
      const { rpcUrl } = ground.chain;
      await installWallet(rpcUrl, wallet, owner.address);
      await mintUsdc(rpcUrl, wallet, 5_000n);
      const payer = await fundedPayer(ground.chain, 49);
      const stored = async (): Promise<number> => count('select 1 from keyfare.settlement');
      const before = await stored();
      // The wallet is modest when the batch is tried, and greedy when it is mined.
      await callRpc(rpcUrl, 'evm_setAutomine', [false]);
      try {
        await serve(at, owner, { from: wallet });
        for (let sent = 0; sent < 2; sent += 1) await serve(at, payer);
        expect(await settled(stored, before + 1)).toBe(before + 1);
        await installWallet(rpcUrl, wallet, owner.address, 400_000n);
      } finally {
        const goOn = async (): Promise<void> => {
          await callRpc(rpcUrl, 'evm_setAutomine', [true]);
          await ground.chain.mine();
        };
        if (trouble === '') await goOn();
        else await breakFirstAttempt(goOn);
      }
      expect(await settled(final, 3)).toBe(3);
      expect(await transactions()).toBe(2);
      expect(await usdcBalance(rpcUrl, wallet)).toBe(4_000n);
    },
    40_000,
  );

  /** Ends the connection of whoever next waits for the wallet's row, which is what a new transaction needs first. */
  async function breakFirstAttempt(begin: () => Promise<void>): Promise<void> {
    const other = new SqlPool({ ...patience, url: ground.database.url, applicationName: 'other' });
    const waiting = `from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
      and query like '%keyfare.wallet%' and pid <> pg_backend_pid()`;
    try {
      await other.transaction(async (tx) => {
        await tx.query({ text: 'select 1 from keyfare.wallet for update' });
        await begin();
        expect(await settled(() => count(`select 1 ${waiting}`), 1)).toBe(1);
        await rows(ground.database.url, `select pg_terminate_backend(pid) ${waiting}`);
        expect(await settled(() => count(`select 1 ${waiting}`), 0)).toBe(0);
      });
    } finally {
      await other.close();
    }
  }

  it('end though the total of what is open has been counted too low, and a sweep counts it anew', async () => {
    const at = await start({ DEFERRED_COUNT: '2', REPLICA_TTL_MS: '2000' });
    const payer = await fundedPayer(ground.chain, 50);
    const total = async (): Promise<string | undefined> =>
      (await rows<{ open: string }>(ground.database.url, 'select open from keyfare.open_total'))[0]?.open;
    await serve(at, payer);
    await rows(ground.database.url, 'update keyfare.open_total set open = 7000000');
    expect(await settled(total, '1000')).toBe('1000');
    await rows(ground.database.url, 'update keyfare.open_total set open = 0');
    await serve(at, payer);
    expect(await settled(final, 2)).toBe(2);
    expect(await settled(total, '0')).toBe('0');
  }, 30_000);
});
