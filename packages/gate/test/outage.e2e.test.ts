import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { killPostgres, type PostgresServer, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { type Answer, call, rows, settled, signPayment, withKey } from './requests.js';

describe('the database', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;
  let dataDir: string;
  let options: { dataDir: string; port: number; password: string };
  let server: PostgresServer;

  beforeAll(async () => {
    const base = await openGround();
    dataDir = mkdtempSync(join(tmpdir(), 'keyfare-outage-'));
    // Root hands the server to another account, which must get in.
    chmodSync(dataDir, 0o755);
    options = { dataDir: join(dataDir, 'postgres'), port: await choosePort(), password: 'outage-test' };
    server = await startPostgres(options);
    await migrateGate(server.adminUrl);
    ground = { ...base, env: { ...base.env, DATABASE_URL: server.adminUrl } };
    gate = await startGate(ground);
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await stopPostgres(server).catch(() => undefined);
    await ground.close();
    rmSync(dataDir, { recursive: true, force: true });
  }, 30_000);

  it('that is killed under load costs 503s, and no call is lost or counted twice', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 100_000n });
    const answers: Answer[] = [];
    const load = new AbortController();
    const caller = async (): Promise<void> => {
      while (!load.signal.aborted) answers.push(await call(gate, '/ping', withKey(secret)));
    };
    const callers = Array.from({ length: 16 }, caller);
    for (let outage = 0; outage < 3; outage += 1) {
      const served = answers.length;
      await settled(async () => answers.length > served + 100, true);
      await killPostgres(server);
      await settled(async () => answers.filter(({ status }) => status === 503).length > 50 * (outage + 1), true);
      server = await startPostgres(options);
      const before = answers.filter(({ status }) => status === 200).length;
      await settled(async () => answers.filter(({ status }) => status === 200).length > before + 50, true);
    }
    load.abort();
    await Promise.all(callers);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    const served = answers.filter(({ status }) => status === 200).map(({ headers }) => headers.get('receipt-id'));
    expect(new Set(served).size).toBe(served.length);
    const found = await rows<{ id: string }>(
      server.adminUrl,
      `select id from keyfare.entry where kind = 'call' and rail = 'key' and principal = $1`,
      [key.accountId],
    );
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set(served));
    expect(found.length).toBe(served.length);
    const used = async (): Promise<string | undefined> => {
      const text = 'select used from keyfare.allowance where account_id = $1';
      return (await rows<{ used: string }>(server.adminUrl, text, [key.accountId]))[0]?.used;
    };
    expect(await settled(used, String(served.length))).toBe(String(served.length));
    const refused = answers.find(({ status }) => status === 503);
    expect(refused?.body['code']).toBe('service/database-unavailable');
  }, 60_000);

  it('that is away answers 503 to a payment, charges nothing, and the same payment is served when it is back', async () => {
    const paid = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
    const { v2 } = await signPayment(ground, payer);
    await killPostgres(server);
    const answer = await call(gate, '/ping', { headers: v2 });
    expect([answer.status, answer.body['code']]).toEqual([503, 'service/database-unavailable']);
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid);
    server = await startPostgres(options);
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid + 1_000n);
  }, 30_000);
});

describe('the chain', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, { env: { RPC_TIMEOUT_MS: '500', SETTLE_TIMEOUT_MS: '1000' } });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  it('that hangs does not concern the key rail; a payment is answered 503 and nothing is claimed or charged', async () => {
    const { secret } = await gate.issueKey();
    const { v2 } = await signPayment(ground, payer);
    const paid = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
    await ground.chain.pause();
    const byKey = await call(gate, '/ping', withKey(secret));
    const byWallet = await call(gate, '/ping', { headers: v2 });
    ground.chain.resume();
    expect(byKey.status).toBe(200);
    expect([byWallet.status, byWallet.body['code']]).toEqual([503, 'service/chain-unavailable']);
    expect(byWallet.headers.has('payment-required')).toBe(false);
    expect(TestController.work.runs).toBe(1);
    const claims = async (): Promise<number> =>
      (await rows(ground.database.url, 'select 1 from keyfare.payment')).length;
    expect(await settled(claims, 0)).toBe(0);
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid);
    const retry = await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200);
    expect(retry).toBe(200);
  });

  it('that goes away between the work and the settlement: 503, and the same payment is served when it is back', async () => {
    const { v2 } = await signPayment(ground, payer);
    const paid = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
    TestController.work.pause();
    const first = call(gate, '/ping', { headers: v2 });
    await settled(async () => TestController.work.runs, 1);
    await ground.chain.pause();
    TestController.work.resume();
    const answer = await first;
    ground.chain.resume();
    expect(answer.status).toBe(503);
    expect(answer.headers.has('payment-required')).toBe(false);
    expect(await settled(async () => (await call(gate, '/ping', { headers: v2 })).status, 200)).toBe(200);
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid + 1_000n);
  });

  it('need not be there at the boot', async () => {
    const lonely = await startGate(ground, { env: { RPC_URL: 'http://127.0.0.1:9' } });
    const { secret } = await lonely.issueKey();
    expect((await call(lonely, '/ping', withKey(secret))).status).toBe(200);
    expect((await call(lonely, '/ping')).status).toBe(402);
    await lonely.close();
  });
});
