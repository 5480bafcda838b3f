import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { monthOf } from '@keyfare/core/time';
import { paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { fundEth } from '@keyfare/devstack/usdc';
import { GateModule } from '@keyfare/gate/module';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { Priced } from '@keyfare/gate/tariff';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { privateKeyToAccount } from 'viem/accounts';
import { revenueTable } from '../src/reports/revenue.js';
import { type Market, openMarket, payTo } from './market.js';
import type { Books } from './world.js';

@Controller()
class Gifts {
  @Priced({ sku: 'sample', price: '$0.001', units: 2, free: { calls: 3, per: 'address', period: 'month' } })
  @Get('sample')
  sample(): object {
    return { sample: true };
  }

  @Priced({ sku: 'trial', price: '$0.001', free: { calls: 1, per: 'wallet', period: 'month' } })
  @Get('trial')
  trial(): object {
    return { trial: true };
  }
}

/** An API on the market's database and chain that gives calls away. */
async function startApi({ world, node }: Market): Promise<NestFastifyApplication> {
  const settler = `0x${randomBytes(32).toString('hex')}` as const;
  await fundEth(node.rpcUrl, privateKeyToAccount(settler).address);
  const { privateKey } = generateKeyPairSync('ed25519');
  const env = {
    DATABASE_URL: world.database.url,
    RPC_URL: node.rpcUrl,
    PAY_TO: payTo,
    PUBLIC_URL: 'http://api.test',
    SETTLER_PRIVATE_KEY: settler,
    RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
  };
  const before = { ...process.env };
  Object.assign(process.env, env);
  @Module({ imports: [GateModule.forRoot()], controllers: [Gifts] })
  class Api {}
  for (const name of Object.keys(env)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  const logger = createLogger({ name: 'test', level: 'silent' }, { write: () => undefined });
  const app = await NestFactory.create<NestFastifyApplication>(Api, createAdapter({ logger }), {
    logger: new NestLogger(logger),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app;
}

describe('calls that an API gave away', () => {
  let market: Market;
  let api: NestFastifyApplication;
  let books: Books;
  const statuses: number[] = [];

  beforeAll(async () => {
    market = await openMarket();
    api = await startApi(market);
    // The API has a sequencer of its own.
    market.world.log.paused = true;
    const { port } = api.getHttpServer().address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    for (let index = 0; index < 4; index += 1) statuses.push((await fetch(`${url}/sample`)).status);
    const payload = await signAuthorization({ payer: market.payer, to: payTo as `0x${string}`, value: 1_000n });
    const accepted = usdcRequirements(payTo as `0x${string}`, 1_000n);
    const headers = { 'payment-signature': paymentHeaderV2({ payload, accepted }) };
    for (let index = 0; index < 2; index += 1) statuses.push((await fetch(`${url}/trial`, { headers })).status);
    books = market.books({ env: { API_JWKS_URL: `${url}/.well-known/jwks.json` } });
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await market.close();
  }, 60_000);

  it('are charged nothing, and the books have no break, however often they are reconciled', async () => {
    expect(statuses).toEqual([200, 200, 200, 402, 200, 200]);
    for (let round = 0; round < 2; round += 1) {
      const { report } = await books.reconcileJob.run('manual');
      expect(await market.openBreaks()).toEqual([]);
      expect(report).toMatchObject({
        entries: { complete: true, good: 5, bad: 0 },
        calls: [
          { rail: 'free', count: 4, units: '7', asset: 'USD', amount: '0.000000' },
          { rail: 'x402', count: 1, units: '1', asset: 'USDC', amount: '0.001000' },
        ],
        payments: [{ status: 'matched', count: 1 }],
        unchecked: [],
      });
    }
    expect(await market.world.rows(`select 1 from billing.journal where kind = 'call'`)).toHaveLength(1);
  });

  it('are calls of nothing in the revenue report: of a wallet by its name, of all others together', async () => {
    const table = revenueTable(monthOf(market.world.clock()));
    const { text, values } = table.statement;
    const rows = await market.world.rows<Parameters<typeof table.view>[0]>(text, values);
    const views = rows
      .map((row) => table.view(row))
      .toSorted((a, b) => `${a.rail}${a.product}`.localeCompare(`${b.rail}${b.product}`));
    const wallet = market.payer.address.toLowerCase();
    expect(views.map(({ rail, product, customer, calls, amount }) => [rail, product, customer, calls, amount])).toEqual(
      [
        ['free', 'sample', 'anonymous', '3', '0.000000'],
        ['free', 'trial', wallet, '1', '0.000000'],
        ['x402', 'trial', wallet, '1', '0.001000'],
      ],
    );
  });

  it('are found when the books charge something for one', async () => {
    await market.tamper(
      'alter table billing.charge drop constraint charge_split',
      `update billing.charge set amount = 5 where rail = 'free' and sku = 'trial'`,
    );
    await books.reconcileJob.run('manual');
    expect(await market.openBreaks()).toContain('ledger-mismatch: 5');
  });
});
