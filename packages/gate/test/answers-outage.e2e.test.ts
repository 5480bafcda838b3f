import { randomBytes } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { patience } from '@keyfare/devstack/test-database';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { openTcpProxy, type TcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  answerControllers,
  type Books,
  bodyOf,
  booksOf,
  due,
  type Flow,
  flows,
  get,
  type Payment,
  signNamed,
  still,
  sweeping,
} from './answers-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { rows, settled, withKey } from './requests.js';
import { openSqlTap } from './sql-tap.js';
import { expectProblem, expectReceiptIsWire, type Wire } from './way-out-under-test.js';

let ground: Ground;
let payer: TestPayer;
let books: Books;

beforeAll(async () => {
  ground = await openGround();
  payer = await fundedPayer(ground.chain, 1);
  books = booksOf(ground);
}, 30_000);
afterAll(async () => {
  await ground.close();
}, 30_000);
beforeEach(() => {
  TestController.work.runs = 0;
});

async function codeOf(gate: GateUnderTest, path: string, headers: Record<string, string>): Promise<unknown> {
  const { status, body } = await get(gate, path, headers);
  return status === 200 ? 200 : (JSON.parse(body.toString()) as { code?: unknown }).code;
}

/** A gate, and what stands before its database and before its chain. */
describe('an answer that cannot be stored', () => {
  let database: TcpProxy;
  let node: Proxy;
  let gate: GateUnderTest;
  let secret: string;

  beforeEach(async () => {
    const url = new URL(ground.database.url);
    database = await openTcpProxy(Number(url.port));
    node = await openProxy(ground.chain.rpcUrl);
    gate = await startGate(ground, {
      controllers: answerControllers,
      env: { ...still, ...databaseAt(database.port), RPC_URL: node.url },
    });
    ({ secret } = await gate.issueKey());
  }, 30_000);
  afterEach(async () => {
    TestController.work.resume();
    database.mend();
    await gate.close();
    await node.close();
    await database.close();
  }, 30_000);

  const wasBroadcast = (): boolean =>
    node.batches.flat().some(({ method }) => method.startsWith('eth_sendRawTransaction'));

  /** The call, with its handler stopped in the middle. */
  async function begin(path: string, headers: Record<string, string>): Promise<Promise<Wire>[]> {
    TestController.work.pause();
    const answer = get(gate, path, headers);
    expect(await settled(async () => TestController.work.runs, 1)).toBe(1);
    return [answer];
  }

  /** Takes the database away; resolves when the gate has noticed, so that nothing that it sends now is in doubt. */
  async function takeAway(): Promise<void> {
    database.cut();
    // A key that was never shown must be looked up.
    const code = () => codeOf(gate, '/ping', withKey(secret).headers);
    expect(await settled(code, 'service/database-unavailable')).toBe('service/database-unavailable');
  }

  /** The payment buys its answer now, and the money moves once. */
  async function expectUsable(flow: Flow, { nonce, headers }: Payment, before: bigint): Promise<void> {
    const named = headers({ key: 'mine' });
    expect(await settled(() => codeOf(gate, `/${flow}/pdf`, named), 200)).toBe(200);
    const again = await get(gate, `/${flow}/pdf`, named);
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect([await books.kept(nonce), await books.entries(nonce)]).toEqual([1, 1]);
    expect(wasBroadcast()).toBe(flow === 'authorization');
    // The first handler's answer went nowhere.
    expect(TestController.work.runs).toBe(2);
    expect((await books.till()) - before).toBe(due(flow, 1n));
  }

  it.each(['authorization', 'deferred'] as const)(
    'is 503 while the database is away: nothing moves, nothing is in the books, and the payment is good when it is back: flow %s',
    async (flow) => {
      const before = await books.till();
      const payment = await signNamed(ground, payer);
      const [answer] = await begin(`/${flow}/pdf`, payment.headers({ key: 'mine' }));
      await takeAway();
      TestController.work.resume();
      const refused = (await answer) as Wire;
      expect(refused.status).toBe(503);
      await expectProblem(gate, refused, 'service/database-unavailable');
      expect(wasBroadcast()).toBe(false);
      expect([await books.kept(payment.nonce), await books.entries(payment.nonce)]).toEqual([0, 0]);
      expect(await books.till()).toBe(before);
      database.mend();
      await expectUsable(flow, payment, before);
    },
    40_000,
  );

  it('because the database goes away under the statement is 503: it is stored before anything is submitted: flow authorization', async () => {
    const before = await books.till();
    const payment = await signNamed(ground, payer);
    const [answer] = await begin('/authorization/pdf', payment.headers({ key: 'mine' }));
    const { url } = ground.database;
    const other = new SqlPool({ ...patience, url, applicationName: 'locks the answers' });
    const waiting = async (): Promise<number> =>
      (
        await rows(
          url,
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into keyfare.answer%'
             and datname = current_database()`,
        )
      ).length;
    try {
      await other.transaction(async (tx) => {
        await tx.query({ text: 'lock table keyfare.answer in exclusive mode' });
        TestController.work.resume();
        expect(await settled(waiting, 1)).toBe(1);
        expect(await books.state(payment.nonce)).toBe('claimed');
        await rows(
          url,
          `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'
             and query like '%insert into keyfare.answer%' and datname = current_database()`,
        );
        const refused = (await answer) as Wire;
        expect(refused.status).toBe(503);
        await expectProblem(gate, refused, 'service/database-unavailable');
      });
    } finally {
      await other.close();
    }
    expect(wasBroadcast()).toBe(false);
    expect(await books.till()).toBe(before);
    await expectUsable('authorization', payment, before);
  }, 40_000);

  it('as far as the gate can tell is 503 and nothing moves, though the database had stored it: flow authorization', async () => {
    const before = await books.till();
    const payment = await signNamed(ground, payer);
    const [answer] = await begin('/authorization/pdf', payment.headers({ key: 'mine' }));
    const cut = database.cutAt('INSERT 0 1', 'before', 'keyfare_store_answers');
    TestController.work.resume();
    await cut;
    const refused = (await answer) as Wire;
    expect(refused.status).toBe(503);
    await expectProblem(gate, refused, 'service/database-unavailable');
    expect(await books.kept(payment.nonce)).toBe(1);
    expect(wasBroadcast()).toBe(false);
    expect(await books.till()).toBe(before);
    database.mend();
    await expectUsable('authorization', payment, before);
  }, 40_000);

  it('as far as the gate can tell is waited for, and served once, when the database had stored it with the call: flow deferred', async () => {
    const before = await books.till();
    const { nonce, headers } = await signNamed(ground, payer);
    const [answer] = await begin('/deferred/pdf', headers({ key: 'mine' }));
    const cut = database.cutAt('SELECT 1', 'before', 'keyfare_post_deferred_calls');
    TestController.work.resume();
    await cut;
    database.mend();
    const served = (await answer) as Wire;
    expect(served.status).toBe(200);
    await expectReceiptIsWire(gate, served);
    expect([await books.kept(nonce), await books.entries(nonce)]).toEqual([1, 1]);
    expect(TestController.work.runs).toBe(1);
    expect(await books.till()).toBe(before);
  }, 40_000);

  it('is 503 though the money has moved, the payment buys nothing again, and a refund is due: flow upfront', async () => {
    const before = await books.till();
    const { nonce, headers } = await signNamed(ground, payer);
    const named = headers({ key: 'mine' });
    const [answer] = await begin('/upfront/pdf', named);
    await takeAway();
    TestController.work.resume();
    const refused = (await answer) as Wire;
    expect(refused.status).toBe(503);
    await expectProblem(gate, refused, 'service/database-unavailable');
    database.mend();
    expect(['payment/in-progress', 'payment/refund-due']).toContain(
      await settled(() => codeOf(gate, '/upfront/pdf', named), 'payment/in-progress'),
    );
    await gate.close();
    const sweeper = await startGate(ground, { controllers: answerControllers, env: sweeping });
    try {
      expect(await settled(() => codeOf(sweeper, '/upfront/pdf', named), 'payment/refund-due')).toBe(
        'payment/refund-due',
      );
    } finally {
      await sweeper.close();
    }
    expect([await books.kept(nonce), await books.entries(nonce)]).toEqual([0, 0]);
    expect(TestController.work.runs).toBe(1);
    expect((await books.till()) - before).toBe(1_000n);
  }, 60_000);
});

describe('a transaction that locks the wallet', () => {
  it.each(flows)(
    'carries no body of an answer: flow %s',
    async (flow) => {
      const size = 300_000;
      // A till of its own: what other calls have open is collected by this gate too.
      const payTo = `0x${randomBytes(20).toString('hex')}` as const;
      const own = { ...ground, payTo };
      const itsBooks = booksOf(own);
      const tap = await openSqlTap(Number(new URL(ground.database.url).port));
      const gate = await startGate(ground, {
        controllers: answerControllers,
        env: { ...databaseAt(tap.port), PAY_TO: payTo, DEFERRED_AGE_SECONDS: '1', DEFERRED_INTERVAL_MS: '100' },
      });
      try {
        const payments = await Promise.all(Array.from({ length: 4 }, async () => signNamed(own, payer)));
        const answers = await Promise.all(
          payments.map(({ headers }) => get(gate, `/${flow}/of/${size}`, headers({ key: 'mine' }))),
        );
        for (const { status, body } of answers) expect([status, body.equals(bodyOf(size))]).toEqual([200, true]);
        for (const { nonce } of payments) expect(await books.kept(nonce)).toBe(1);
        expect(await settled(async () => itsBooks.till(), 4_000n)).toBe(4_000n);
        expect(TestController.work.runs).toBe(4);
        // Bodies are of noise: however they were written, they take their size.
        const holding = tap.transactions.filter(({ statements }) =>
          statements.some((text) => /keyfare\.wallet[^;]*for update/s.test(text)),
        );
        const carrying = tap.transactions.filter(({ bytes }) => bytes >= size);
        expect(holding.length).toBeGreaterThan(0);
        expect(holding.filter(({ bytes }) => bytes >= size / 4)).toEqual([]);
        expect(carrying.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(4 * size);
        expect(carrying.filter(({ statements }) => statements.some((text) => text.includes('keyfare.wallet')))).toEqual(
          [],
        );
      } finally {
        await gate.close();
        await tap.close();
      }
    },
    40_000,
  );
});

/** The database of the ground, by way of a port of this machine. */
function databaseAt(port: number): Record<string, string> {
  const url = new URL(ground.database.url);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return { MIGRATION_DATABASE_URL: ground.database.url, DATABASE_URL: url.href };
}
