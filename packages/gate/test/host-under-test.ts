import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { money } from '@keyfare/core/money';
import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { FastifyAdapter, NestFastifyApplication } from '@nestjs/platform-fastify';
import type { GateOptions } from '../src/module.js';
import { createAdapter, createLogger } from '../src/server/index.js';
import { AgreementService, KeyService, PlanService } from '../src/services.js';
import { type Ground, TestController } from './gate-under-test.js';

/** The ground's settings as options; the environment says nothing. */
export function optionsOf({ env }: Pick<Ground, 'env'>): GateOptions {
  const [id = '', secret = ''] = (env['API_KEY_PEPPERS'] ?? '').split(':');
  return {
    env: false,
    databaseUrl: env['DATABASE_URL'] ?? '',
    rpcUrl: env['RPC_URL'] ?? '',
    payTo: env['PAY_TO'] ?? '',
    settlerPrivateKey: env['SETTLER_PRIVATE_KEY'] ?? '',
    receiptSigningKey: env['RECEIPT_SIGNING_KEY'] ?? '',
    apiKeyPeppers: [{ id, secret }],
  };
}

/** One that writes nothing, and nothing to standard output. */
export const quietLogger = () => createLogger({ name: 'host', level: 'silent' }, { write: () => undefined });

/** A running service of another team's. */
export interface Host {
  readonly app: NestFastifyApplication;
  readonly url: string;
  close(): Promise<void>;
}

interface HostParts {
  readonly imports: readonly (DynamicModule | Type)[];
  readonly controllers?: readonly Type[];
  readonly providers?: readonly Provider[];
  readonly adapter?: FastifyAdapter;
  /** What it does to its application before it listens. */
  readonly prepare?: (app: NestFastifyApplication) => unknown;
}

/** Starts a service with these modules. */
export async function startHost({ imports, controllers, providers, adapter, prepare }: HostParts): Promise<Host> {
  @Module({
    imports: [...imports],
    controllers: [...(controllers ?? [TestController])],
    providers: [...(providers ?? [])],
  })
  class HostModule {}
  const logger = quietLogger();
  const app = await NestFactory.create<NestFastifyApplication>(HostModule, adapter ?? createAdapter({ logger }), {
    logger: false,
    abortOnError: false,
  });
  try {
    prepare?.(app);
    await app.listen({ host: '127.0.0.1', port: 0 });
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, close: () => app.close() };
}

/** A key of an account on a plan of its own. */
export async function issueKey({ app }: Pick<Host, 'app'>): Promise<string> {
  const slug = `plan-${randomBytes(6).toString('hex')}`;
  const price = { overage: 'reject', overagePrice: money('USD', 0n), monthlyPrice: money('USD', 0n) } as const;
  await app.get(PlanService).create({ slug, includedUnits: 1_000n, ...price });
  const account = await app.get(AgreementService).open({ name: 'Test', plan: slug });
  return (await app.get(KeyService).issue(account.id, { name: 'test', scopes: [] })).secret;
}
