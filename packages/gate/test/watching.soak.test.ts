import { randomUUID } from 'node:crypto';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { fundEth, usdcAddress } from '@keyfare/devstack/usdc';
import { openTcpProxy, type TcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAccount } from 'viem/accounts';
import { GateHealth, GateMetrics } from '../src/services.js';
import { FlowsController } from './flows-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, signPayment, withKey } from './requests.js';

const network = 'network="eip155:84532"';

/** A sample of a scrape, by its name and labels as they are written; undefined where there is none. */
async function sample(gate: GateUnderTest, series: string): Promise<number | undefined> {
  const text = await gate.app.get(GateMetrics).registry.metrics();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('the figures of a gate', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    payer = await fundedPayer(ground.chain, 1);
  }, 60_000);
  afterAll(async () => ground.close(), 30_000);
  afterEach(async () => gate.close(), 30_000);

  const start = async (env: Readonly<Record<string, string>> = {}): Promise<GateUnderTest> =>
    startGate(ground, { controllers: [TestController, FlowsController], env });

  it('say of a settled payment that one settlement was mined, what it cost, and how long each stage took', async () => {
    gate = await start();
    const before = Date.now() / 1_000;
    expect(await sample(gate, `keyfare_settlement_last_mined_timestamp_seconds{${network}}`)).toBeUndefined();
    const { v2 } = await signPayment(ground, payer);
    expect((await call(gate, '/ping', { headers: v2 })).status).toBe(200);
    expect(await sample(gate, `keyfare_settlements_mined_total{${network},outcome="succeeded"}`)).toBe(1);
    expect(await sample(gate, `keyfare_payments_ended_total{${network},outcome="settled"}`)).toBe(1);
    expect(await sample(gate, `keyfare_settlement_gas_used_total{${network}}`)).toBeGreaterThan(21_000);
    expect(await sample(gate, `keyfare_settlement_gas_spent_coins_total{${network}}`)).toBeGreaterThan(0);
    expect(await sample(gate, `keyfare_settlement_reverts_total{${network}}`)).toBeUndefined();
    const minedAt = await sample(gate, `keyfare_settlement_last_mined_timestamp_seconds{${network}}`);
    expect(minedAt).toBeGreaterThanOrEqual(Math.floor(before));
    const counts = 'keyfare_stage_duration_seconds_count{rail="x402",stage=';
    // The line of a request is written, and its stages are counted, when its response has closed.
    expect(await settled(async () => sample(gate, `${counts}"post"}`), 1)).toBe(1);
    for (const stage of ['quote', 'credential', 'hold', 'handler', 'settle']) {
      expect([stage, await sample(gate, `${counts}"${stage}"}`)]).toEqual([stage, 1]);
    }
    expect(await sample(gate, `${counts}"policy"}`)).toBe(0);
    expect(await sample(gate, 'keyfare_group_commit_wait_seconds_count{group="paid"}')).toBe(1);
    expect(await sample(gate, 'keyfare_sql_pool_connections{pool="calls",state="waiting"}')).toBe(0);
  }, 30_000);

  it('count the money of deferred payments by state, and what waits to be collected', async () => {
    gate = await start({ DEFERRED_AGE_SECONDS: '3000', DEFERRED_INTERVAL_MS: '50', HANDLER_TIMEOUT_MS: '3000' });
    for (let calls = 0; calls < 2; calls += 1) {
      const { v2 } = await signPayment(ground, payer);
      expect((await call(gate, '/deferred', { headers: v2 })).status).toBe(200);
    }
    expect(await settled(async () => sample(gate, `keyfare_collector_waiting_payments{${network}}`), 2)).toBe(2);
    expect(
      await sample(gate, `keyfare_collector_waiting_amount{${network},asset="${usdcAddress.toLowerCase()}"}`),
    ).toBe(2_000);
    const labels = `{${network},asset="${usdcAddress.toLowerCase()}",state="served"}`;
    expect(await settled(async () => sample(gate, `keyfare_payments${labels}`), 2)).toBe(2);
    expect(await sample(gate, `keyfare_payments_amount${labels}`)).toBe(2_000);
    const toCollect = async () => (await gate.app.get(GateHealth).readiness()).rail.settlers['eip155:84532']?.toCollect;
    expect(await settled(toCollect, 2)).toBe(2);
  }, 30_000);

  it('show entries that nobody gives a place', async () => {
    gate = await start();
    const { secret } = await gate.issueKey();
    const { url } = ground.database;
    // What was posted before has its places.
    expect(await settled(async () => sample(gate, 'keyfare_sequencer_unplaced_entries'), 0)).toBe(0);
    // Somebody else holds the sequencer's lease, and does nothing.
    await rows(
      url,
      `update keyfare.sequencer set holder = '${randomUUID()}', epoch = epoch + 1, expires_at = now() + interval '1 hour'`,
    );
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    expect(await settled(async () => sample(gate, 'keyfare_sequencer_unplaced_entries'), 1)).toBe(1);
    expect(await settled(async () => ((await sample(gate, 'keyfare_sequencer_lag_seconds')) ?? 0) > 0, true)).toBe(
      true,
    );
    await rows(url, `update keyfare.sequencer set expires_at = now()`);
    expect(await settled(async () => sample(gate, 'keyfare_sequencer_unplaced_entries'), 0)).toBe(0);
  }, 60_000);

  it('say that a settler without gas money is empty, and readiness says why the rail is degraded, and not 503', async () => {
    const { address } = privateKeyToAccount(ground.env['SETTLER_PRIVATE_KEY'] as `0x${string}`);
    await fundEth(ground.chain.rpcUrl, address, 1_000n);
    gate = await start();
    expect(await sample(gate, `keyfare_settler_funds{${network}}`)).toBe(0);
    expect(await sample(gate, `keyfare_settler_settlements_left{${network}}`)).toBe(0);
    const { status, reasons } = await gate.app.get(GateHealth).readiness();
    expect([status, reasons.filter((reason) => reason.startsWith('settle'))]).toEqual(['degraded', ['settler-empty']]);
    await fundEth(ground.chain.rpcUrl, address);
  }, 30_000);

  it('count what strangers are refused unasked, and open leases', async () => {
    gate = await start({ REFUSED_PAYMENTS_PER_ADDRESS: '1' });
    const poor = testPayer(7);
    const statuses: number[] = [];
    while (statuses.length < 20 && !statuses.includes(429)) {
      const { v2 } = await signPayment(ground, poor);
      statuses.push((await call(gate, '/ping', { headers: v2 })).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(await sample(gate, 'keyfare_strangers_throttled_total{limit="address"}')).toBe(1);
    const { secret } = await gate.issueKey();
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    expect(await sample(gate, 'keyfare_leases')).toBe(1);
    expect(await sample(gate, 'keyfare_leased_units{state="free"}')).toBeGreaterThan(0);
  }, 30_000);
});

describe('the figures of a gate whose database hangs', () => {
  let ground: Ground;
  let proxy: TcpProxy;
  let gate: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    const url = new URL(ground.database.url);
    proxy = await openTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    gate = await startGate(ground, { env: { DATABASE_URL: url.href } });
  }, 60_000);
  afterAll(async () => {
    proxy.mend();
    await gate.close();
    await proxy.close();
    await ground.close();
  }, 30_000);

  it('still come, with those of the process itself, and say that it is down when it has not answered in its time', async () => {
    expect(await sample(gate, 'keyfare_up{part="database"}')).toBe(1);
    proxy.hang();
    expect(await settled(async () => sample(gate, 'keyfare_up{part="database"}'), 0, 30_000)).toBe(0);
    expect(await sample(gate, 'keyfare_log_lines_dropped')).toBeDefined();
    expect(await sample(gate, 'keyfare_up{part="chain"}')).toBe(1);
    const { status, reasons } = await gate.app.get(GateHealth).readiness();
    expect(status).toBe('unavailable');
    expect(reasons).toContain('database-down');
  }, 60_000);
});
