import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import {
  eurcDomain,
  fundedPayer,
  paymentHeaderV1,
  paymentHeaderV2,
  signAuthorization,
  type TestPayer,
  usdcDomain,
  usdcRequirements,
} from '@keyfare/devstack/payers';
import { eurcAddress, fundEth, mintUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { GateModule } from '@keyfare/gate/module';
import { createAdapter, createLogger } from '@keyfare/gate/server';
import { Priced } from '@keyfare/gate/tariff';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { type Market, openMarket, payTo } from './market.js';
import { type Books, openBooks } from './world.js';

@Controller()
class LibraryController {
  @Priced({ sku: 'book', price: '$0.002', accepts: [{}, { asset: 'EURC', price: '€0.0018' }] })
  @Get('book')
  book(): object {
    return { book: true };
  }

  @Priced({ sku: 'loan', price: '$0.003', flow: 'deferred', accepts: [{}, { asset: 'EURC', price: '€0.0027' }] })
  @Get('loan')
  loan(): object {
    return { loan: true };
  }
}

let market: Market;
let app: INestApplication;
let url: string;
let payer: TestPayer;
let books: Books;

beforeAll(async () => {
  market = await openMarket();
  const { node, world } = market;
  const settler: Hex = `0x${randomBytes(32).toString('hex')}`;
  await fundEth(node.rpcUrl, privateKeyToAccount(settler).address);
  payer = await fundedPayer(node, 70);
  await mintUsdc(node.rpcUrl, payer.address, 100_000_000n, eurcAddress);
  const { privateKey } = generateKeyPairSync('ed25519');
  const options = {
    env: false,
    databaseUrl: world.database.url,
    rpcUrl: node.rpcUrl,
    payTo,
    settlerPrivateKey: settler,
    receiptSigningKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    apiKeyPeppers: [{ id: 'p1', secret: randomBytes(32).toString('base64url') }],
    confirmations: 0,
    deferredCount: 4,
    deferredIntervalMs: 50,
    maxOpenPerPayerEur: '1',
    maxOpenTotalEur: '10',
  } as const;

  @Module({ imports: [GateModule.forRoot(options)], controllers: [LibraryController] })
  class LibraryModule {}
  const logger = createLogger({ name: 'test', level: 'silent' });
  app = await NestFactory.create(LibraryModule, createAdapter({ logger }), { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  books = openBooks(world, {
    env: { RPC_URL: node.rpcUrl, API_JWKS_URL: `${url}/.well-known/jwks.json` },
    clock: () => new Date(),
  });
}, 60_000);
afterAll(async () => {
  await app.close();
  await books.close();
  await market.close();
}, 30_000);

/** Pays for a call, and answers its status. */
async function pay(
  path: string,
  value: bigint,
  { inEuros, version }: { inEuros: boolean; version: 1 | 2 },
): Promise<number> {
  const domain = inEuros ? eurcDomain : usdcDomain;
  const payload = await signAuthorization({ payer, to: payTo as Hex, value, domain });
  const headers =
    version === 1
      ? { 'x-payment': paymentHeaderV1({ payload }) }
      : { 'payment-signature': paymentHeaderV2({ payload, accepted: usdcRequirements(payTo as Hex, value, domain) }) };
  return (await fetch(`${url}${path}`, { headers })).status;
}

it('what a gate sells in both tokens at once, settled alone and in a batch, is in the books without a break', async () => {
  const rounds = Array.from({ length: 5 }, (_, index) => (index % 2 === 0 ? 1 : 2));
  const statuses = await Promise.all(
    rounds.flatMap((version) => [
      pay('/book', 2_000n, { inEuros: false, version }),
      pay('/book', 1_800n, { inEuros: true, version }),
    ]),
  );
  for (const version of [1, 2] as const) {
    statuses.push(await pay('/loan', 3_000n, { inEuros: false, version }));
    statuses.push(await pay('/loan', 2_700n, { inEuros: true, version }));
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
  const { node, world } = market;
  const collected = async (): Promise<number> =>
    (await world.rows(`select 1 from keyfare.entry where kind = 'settlement'`)).length;
  const deadline = Date.now() + 20_000;
  while ((await collected()) < 4 && Date.now() < deadline) await node.mine(1);
  expect(await collected()).toBe(4);
  await books.readAll();
  const { report } = await books.reconcileJob.run('manual');
  expect(await market.openBreaks()).toEqual([]);
  expect(report).toMatchObject({
    entries: { complete: true, bad: 0 },
    calls: [
      { rail: 'x402', asset: 'EURC', count: 7, amount: '0.014400' },
      { rail: 'x402', asset: 'USDC', count: 7, amount: '0.016000' },
    ],
    payments: [{ status: 'matched', count: 7, recorded: '0.016000', settled: '0.016000' }],
    chain: { state: 'current', explained: '0.016000', balance: '0.016000' },
    otherTokens: [
      {
        asset: 'EURC',
        payments: [{ status: 'matched', count: 7, recorded: '0.014400', settled: '0.014400' }],
        wallets: [{ explained: '0.014400', balance: '0.014400' }],
      },
    ],
    unchecked: [],
  });
  expect(await usdcBalance(node.rpcUrl, payTo as Hex, eurcAddress)).toBe(14_400n);
}, 60_000);
