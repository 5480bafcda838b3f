import { fileURLToPath } from 'node:url';
import { fundedPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { type Balancer, openBalancer } from '@keyfare/fixtures/balancer';
import { SteadyCallers } from '@keyfare/fixtures/steady-callers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Billing, type Ground, openAccount, openGround, startApi, startBilling } from './api-process.js';
import { countIndependently, type Places } from './independent-count.js';

const main = fileURLToPath(new URL('flows-process.js', import.meta.url));
const publicUrl = 'http://api.test';

describe('two API processes that are replaced one after the other', () => {
  let ground: Ground;
  let balancer: Balancer;
  let billing: Billing;
  const apis: Api[] = [];

  const start = async (): Promise<Api> => {
    const env = { PUBLIC_URL: publicUrl, DRAIN_MS: '60000', DEFERRED_AGE_SECONDS: '1', LOG_LEVEL: 'warn' };
    const api = await startApi(ground, env, main);
    apis.push(api);
    await balancer.add(api.url);
    return api;
  };

  beforeAll(async () => {
    [ground, balancer] = await Promise.all([openGround(), openBalancer()]);
    await Promise.all([start(), start()]);
  }, 60_000);
  afterAll(async () => {
    await billing?.service.stop();
    await Promise.all(apis.splice(0).map(async ({ service }) => end(service)));
    await balancer.close();
    await ground.close();
  }, 60_000);

  it('answer every call of both rails and every flow with 200, and log, chain and books agree on all of them', async () => {
    const [first] = apis as [Api, Api];
    billing = await startBilling(ground, { ...first, url: balancer.url });
    const { secret } = await openAccount(ground, first, { includedUnits: 1_000_000, overage: 'reject' });
    const load = new SteadyCallers({
      url: balancer.url,
      key: { path: '/flows/authorization', secret, callers: 4 },
      paid: {
        paths: ['/flows/authorization', '/flows/upfront', '/flows/deferred'],
        payTo: ground.payTo,
        price: 1_000n,
      },
      payers: await Promise.all([1, 2, 3].map(async (number) => fundedPayer(ground.chain, number))),
    });
    load.start();
    await load.more(3);
    for (const old of apis.slice()) {
      await start();
      process.kill(old.service.pid, 'SIGTERM');
      // Not after a time: the balancer has seen the 503 at /readyz, and what it sent before is answered.
      await balancer.untilLeft(old.url);
      await load.underWay();
      // The second signal ends the wait.
      expect(await old.service.stop()).toEqual({ code: 0, signal: null });
      balancer.remove(old.url);
      apis.splice(apis.indexOf(old), 1);
      await load.more(3);
    }
    await load.stop();
    expect(load.failed).toEqual([]);
    const [third] = apis as [Api, Api];
    expect(new Set(load.served.map(({ kind }) => kind)).size).toBe(4);
    await ended(ground.database.url);
    const jwks = (await (await fetch(`${third.url}/.well-known/jwks.json`)).json()) as Places['jwks'];
    expect((await billing.reconcile()).breaks).toEqual([]);
    await Promise.all(apis.splice(0).map(async ({ service }) => end(service)));
    const places = { databaseUrl: ground.database.url, rpcUrl: ground.chain.rpcUrl, asset: usdcAddress, jwks };
    expect(await countIndependently({ ...places, payTo: ground.payTo }, load.served)).toEqual([]);
  }, 120_000);
});

/** Two signals: the second ends the time in which a balancer would turn away. */
async function end(service: Api['service']): Promise<void> {
  process.kill(service.pid, 'SIGTERM');
  await service.stop();
}

/** Resolves when no payment is on its way any more. */
async function ended(url: string): Promise<void> {
  const open = `select 1 from keyfare.payment where state in ('claimed', 'served', 'settling') limit 1`;
  for (const deadline = Date.now() + 60_000; (await adminQuery(url, open)).length > 0; ) {
    if (Date.now() > deadline) throw new Error('payments are still under way');
    await new Promise((wake) => setTimeout(wake, 100));
  }
}
