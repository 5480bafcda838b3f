import 'reflect-metadata';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GateModule } from '@keyfare/gate/module';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { Priced } from '@keyfare/gate/tariff';
import { Controller, Get, HttpException, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Pool } from 'pg';
import type { SeedSecrets } from './secrets.js';
import { type HistoryTime, shadowSchema } from './time.js';

/** Whom a route of the history pays that is not the till: a wallet that billing is not told of. */
export const elsewhere = '0x00000000000000000000000000000000000e15e0';

/** Where a history is made. */
export interface Ground {
  /** A login with the role `keyfare_gate`. */
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly secrets: SeedSecrets;
}

/** Handlers that wait, by the name in `?hold=`. */
export const holds = new Map<string, { readonly entered: () => void; readonly released: Promise<unknown> }>();

async function work(hold?: string): Promise<object> {
  const held = hold === undefined ? undefined : holds.get(hold);
  held?.entered();
  await held?.released;
  return { ok: true };
}

const inEuros = (price: string) => [{}, { asset: 'EURC', price }];

/** What is sold in the history. */
@Controller()
class SeedController {
  @Priced({ sku: 'forecast', price: '$0.001', accepts: inEuros('€0.0009') })
  @Get('forecast')
  async forecast(@Query('hold') hold?: string): Promise<object> {
    return work(hold);
  }

  @Priced({ sku: 'distances', price: '$0.002', units: 2 })
  @Get('distances')
  async distances(): Promise<object> {
    return work();
  }

  @Priced({ sku: 'sample', price: '$0.001', free: { calls: 10, per: 'address', period: 'day', total: 1_000_000 } })
  @Get('sample')
  async sample(): Promise<object> {
    return work();
  }

  @Priced({ sku: 'archive', price: '$0.005', flow: 'upfront', accepts: inEuros('€0.0045') })
  @Get('archive')
  async archive(@Query('fails') fails?: string, @Query('hold') hold?: string): Promise<object> {
    if (fails !== undefined) throw new HttpException('the archive is away', 503);
    return work(hold);
  }

  @Priced({ sku: 'stream', price: '$0.003', flow: 'deferred', accepts: inEuros('€0.0027') })
  @Get('stream')
  async stream(): Promise<object> {
    return work();
  }

  @Priced({ sku: 'partner', price: '$0.004', accepts: [{ payTo: elsewhere }] })
  @Get('partner')
  async partner(): Promise<object> {
    return work();
  }
}

/** A process of the gate whose time is the history's. */
export interface SeedGate {
  readonly app: NestFastifyApplication;
  readonly port: number;
  close(): Promise<void>;
}

/** A request says in headers when it is made, in milliseconds, and from which address. No host of ours does that. */
export const [timeHeader, addressHeader] = ['seed-time', 'seed-address'];

/** Around the server's own listener: the gate dates a call before any hook of a host could. */
function callAtItsTime(app: NestFastifyApplication, time: HistoryTime): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onRequest', (request, _reply, done) => {
      const { [addressHeader]: address } = request.headers;
      if (typeof address === 'string') Object.defineProperty(request, 'ip', { value: address });
      done();
    });
  const server: Server = app.getHttpServer();
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const call = time.begin(new Date(Number(request.headers[timeHeader])), () => {
      for (const listener of listeners) listener(request, response);
    });
    response.once('close', () => call.end());
  });
}

/** Life signs come so much faster than in production that a crash costs a second. */
export const replicaTtlMs = 1_500;

export async function startGate({ databaseUrl, rpcUrl, secrets }: Ground, time: HistoryTime): Promise<SeedGate> {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: 8,
    options: `-c role=keyfare_gate -c search_path=${shadowSchema},pg_catalog`,
  });
  const gate = GateModule.forRoot({
    env: false,
    clock: time.clock,
    pool,
    migrate: false,
    network: 'base-sepolia',
    rpcUrl,
    payTo: secrets.payTo,
    settlerPrivateKey: secrets.settlerKey,
    receiptSigningKey: secrets.receiptKeyPem,
    apiKeyPeppers: [{ id: 'dev', secret: secrets.keyPepper }],
    replicaTtlMs,
    confirmations: 2,
    settleTimeoutMs: 15_000,
    handlerTimeoutMs: 60_000,
    deferredCount: 100,
    deferredIntervalMs: 100,
    balanceIntervalMs: 600_000,
    maxOpenPerPayerUsd: '5',
    maxOpenTotalUsd: '500',
    maxOpenPerPayerEur: '5',
    maxOpenTotalEur: '500',
  });

  @Module({ imports: [gate], controllers: [SeedController] })
  class SeedModule {}
  const logger = createLogger({ name: 'seed', level: 'silent' });
  const app = await NestFactory.create<NestFastifyApplication>(SeedModule, createAdapter({ logger }), {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  callAtItsTime(app, time);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    port,
    close: async () => {
      await app.close();
      await pool.end();
    },
  };
}
