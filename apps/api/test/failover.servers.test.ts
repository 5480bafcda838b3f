import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExactPayload, fundedPayer, signAuthorization, type TestPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import {
  adminQuery,
  copyForStandby,
  isPostgresRunning,
  killPostgres,
  type PostgresServer,
  promoteStandby,
  startPostgres,
  stopPostgres,
  untilSynchronous,
} from '@keyfare/devstack/postgres';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { openTcpProxy, type TcpProxy } from '@keyfare/fixtures/tcp-proxy';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Billing, type Ground, openAccount, openGround, startApi, startBilling } from './api-process.js';
import { CrashLoad } from './crash-load.js';
import { countIndependently, type Places } from './independent-count.js';

const binDir = process.env['KEYFARE_SERVERS_BIN'] ?? '';
const password = 'failover';
const path = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

describe('a primary that dies under load of both rails while a synchronous standby follows', () => {
  let folder: string;
  let primary: PostgresServer;
  let standby: PostgresServer;
  let address: TcpProxy;
  let ground: Ground;
  let apis: readonly [Api, Api];
  let billing: Billing;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keyfare-failover-'));
    chmodSync(folder, 0o755);
    primary = await startPostgres({ dataDir: join(folder, 'one'), port: await choosePort(), password, binDir });
    const dataDir = join(folder, 'two');
    copyForStandby(primary, { dataDir, binDir });
    standby = await startPostgres({ dataDir, port: await choosePort(), password, binDir });
    await untilSynchronous(primary);
    address = await openTcpProxy(primary.port);
    const url = new URL(primary.adminUrl);
    url.port = String(address.port);
    const drop = async (): Promise<void> => {
      await address.close();
      await Promise.all([stopPostgres(primary), stopPostgres(standby)]);
      rmSync(folder, { recursive: true, force: true });
    };
    const { href } = url;
    ground = await openGround(async () => ({
      name: 'postgres',
      url: href,
      adminUrl: href,
      env: { DATABASE_URL: href },
      drop,
    }));
    apis = await Promise.all([startApi(ground), startApi(ground)]);
    billing = await startBilling(ground, apis[0]);
  }, 120_000);
  afterAll(async () => {
    await billing?.service.stop();
    await Promise.all((apis ?? []).map(({ service }) => service.stop()));
    await ground?.close();
  }, 60_000);

  it('loses nothing that was acknowledged when the standby takes over: log, leases, payments, places and books agree', async () => {
    const { secret } = await openAccount(ground, apis[0], { includedUnits: 1_000_000, overage: 'reject' });
    const payers = await Promise.all([1, 2, 3].map(async (number) => fundedPayer(ground.chain, number)));
    const loads = apis.map(({ url }) => new CrashLoad(`${url}${path}`, ground.payTo, 1_000n));
    const callers = loads.flatMap((load, index) => [
      ...Array.from({ length: 4 }, () => load.callByKey(secret)),
      ...payers.map((payer) => load.payForCalls(payments(payer, ground.payTo), index === 0 ? 1 : 2)),
    ]);
    await more(loads, 5);
    await killPostgres(primary);
    address.cut();
    await promoteStandby(standby);
    address.leadTo(standby.port);
    address.mend();
    await more(loads, 10);
    for (const load of loads) load.stop();
    await Promise.all(callers);
    expect(loads.flatMap(({ odd }) => odd)).toEqual([]);
    await ended(ground.database.url);
    const jwks = (await (await fetch(`${apis[0].url}/.well-known/jwks.json`)).json()) as Places['jwks'];
    const { breaks, report } = await billing.reconcile();
    expect(breaks).toEqual([]);
    expect(report).toMatchObject({ unchecked: [], entries: { complete: true, bad: 0 } });
    await Promise.all(apis.map(({ service }) => service.stop()));
    const { url: databaseUrl } = ground.database;
    const places = { databaseUrl, rpcUrl: ground.chain.rpcUrl, asset: usdcAddress, payTo: ground.payTo, jwks };
    const held = loads.flatMap(({ served }) => served.map(({ receiptId: id, ...rest }) => ({ ...rest, id })));
    expect(await countIndependently(places, held)).toEqual([]);
    expect(isPostgresRunning(primary)).toBe(false);
    expect(await adminQuery(standby.adminUrl, 'select pg_is_in_recovery() as follows')).toEqual([{ follows: false }]);
  }, 180_000);
});

async function* payments(payer: TestPayer, to: `0x${string}`): AsyncGenerator<ExactPayload> {
  for (;;) yield await signAuthorization({ payer, to, value: 1_000n });
}

/** Resolves when each load has served so many more calls on each rail, or met something odd. */
async function more(loads: readonly CrashLoad[], count: number): Promise<void> {
  const rails = ['key', 'x402'] as const;
  const wanted = loads.map((load) => rails.map((rail) => load.count(rail) + count));
  const isShort = (load: CrashLoad, index: number): boolean =>
    load.odd.length === 0 && rails.some((rail, at) => load.count(rail) < (wanted[index]?.[at] ?? 0));
  while (loads.some(isShort)) await new Promise((wake) => setTimeout(wake, 20));
}

async function ended(url: string): Promise<void> {
  const open = `select 1 from keyfare.payment where state in ('claimed', 'served', 'settling') limit 1`;
  while ((await adminQuery(url, open)).length > 0) await new Promise((wake) => setTimeout(wake, 100));
}
