import { fileURLToPath } from 'node:url';
import { fundedPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { type Balancer, openBalancer } from '@keyfare/fixtures/balancer';
import { SteadyCallers } from '@keyfare/fixtures/steady-callers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Billing, type Ground, openAccount, openGround, startApi, startBilling } from './api-process.js';
import { countIndependently, type Places } from './independent-count.js';
import { buildPreviousRelease, type PreviousRelease } from './previous-release.js';

const today = fileURLToPath(new URL('flows-process.js', import.meta.url));
const paths = ['/flows/authorization', '/flows/upfront', '/flows/deferred'];

describe('the release before and this one on one database', () => {
  let previous: PreviousRelease;
  let ground: Ground;
  let balancer: Balancer;
  let billing: Billing | undefined;
  const running: Api[] = [];

  const start = async (main: string): Promise<Api> => {
    const env = { PUBLIC_URL: 'http://api.test', DEFERRED_AGE_SECONDS: '1', LOG_LEVEL: 'warn' };
    const api = await startApi(ground, env, main);
    running.push(api);
    await balancer.add(api.url);
    return api;
  };
  /** As an operator takes a process out: the balancer first, for the release before does not tell it. */
  const stop = async (load: SteadyCallers, api: Api): Promise<void> => {
    balancer.remove(api.url);
    await load.underWay();
    running.splice(running.indexOf(api), 1);
    expect(await api.service.stop()).toEqual({ code: 0, signal: null });
  };

  beforeAll(async () => {
    previous = buildPreviousRelease();
    [ground, balancer] = await Promise.all([openGround(), openBalancer()]);
  }, 240_000);
  afterAll(async () => {
    await billing?.service.stop();
    await Promise.all(running.map(({ service }) => service.stop()));
    await balancer?.close();
    await ground?.close();
    previous?.remove();
  }, 60_000);

  it('serve side by side through an upgrade under load and a step back, with no failed call, and log, chain and books agree', async () => {
    const migrations = async (): Promise<number> =>
      (await adminQuery(ground.database.url, 'select 1 from keyfare.migration')).length;
    const old = await start(previous.main);
    const otherOld = await start(previous.main);
    const before = await migrations();
    const { secret } = await openAccount(ground, old, { includedUnits: 1_000_000, overage: 'reject' });
    const load = new SteadyCallers({
      url: balancer.url,
      key: { path: '/flows/authorization', secret, callers: 4 },
      paid: { paths, payTo: ground.payTo, price: 1_000n },
      payers: await Promise.all([1, 2, 3].map(async (number) => fundedPayer(ground.chain, number))),
    });
    load.start();
    await load.more(3);
    // Its start brings the schema up to date under the others, which serve on.
    const fresh = await start(today);
    expect(await migrations()).toBeGreaterThanOrEqual(before);
    await load.more(10);
    await stop(load, old);
    await stop(load, otherOld);
    await load.more(5);
    // A step back: the release before starts on the schema of this one.
    const again = await start(previous.main);
    await load.more(10);
    await stop(load, again);
    await load.stop();
    expect(load.failed).toEqual([]);
    billing = await startBilling(ground, { ...fresh, url: balancer.url });
    const open = `select 1 from keyfare.payment where state in ('claimed', 'served', 'settling') limit 1`;
    while ((await adminQuery(ground.database.url, open)).length > 0) await new Promise((wake) => setTimeout(wake, 100));
    const jwks = (await (await fetch(`${fresh.url}/.well-known/jwks.json`)).json()) as Places['jwks'];
    expect((await billing.reconcile()).breaks).toEqual([]);
    await Promise.all(running.splice(0).map(({ service }) => service.stop()));
    const places = { databaseUrl: ground.database.url, rpcUrl: ground.chain.rpcUrl, asset: usdcAddress, jwks };
    expect(await countIndependently({ ...places, payTo: ground.payTo }, load.served)).toEqual([]);
  }, 300_000);
});
