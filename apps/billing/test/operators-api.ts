import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { AdminModule } from '@keyfare/gate/admin';
import { DiscoveryModule } from '@keyfare/gate/discovery';
import { GateModule } from '@keyfare/gate/module';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { World } from './world.js';

/** A gate with the routes of operators and the public pages, on the world's database. */
export interface OperatorsApi {
  readonly app: NestFastifyApplication;
  readonly url: string;
  close(): Promise<void>;
}

export async function startOperatorsApi(world: World): Promise<OperatorsApi> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const gate = GateModule.forRoot({
    env: false,
    databaseUrl: world.database.url,
    network: 'base-sepolia',
    rpcUrl: 'http://127.0.0.1:9',
    payTo: world.env['PAY_TO'] as `0x${string}`,
    publicUrl: 'http://api.test',
    settlerPrivateKey: `0x${randomBytes(32).toString('hex')}`,
    receiptSigningKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    apiKeyPeppers: [{ id: 'p1', secret: randomBytes(32).toString('base64url') }],
  });
  @Module({
    imports: [gate, AdminModule.forRoot(), DiscoveryModule.forRoot({ title: 'Test', description: 'Sells nothing.' })],
  })
  class Api {}
  const logger = createLogger({ name: 'test', level: 'silent' }, { write: () => undefined });
  const adapter = createAdapter({ logger, trustedProxies: ['127.0.0.1'] });
  const app = await NestFactory.create<NestFastifyApplication>(Api, adapter, { logger: new NestLogger(logger) });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, close: async () => app.close() };
}
