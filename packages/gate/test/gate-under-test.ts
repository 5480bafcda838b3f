import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Overage } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import type { Clock } from '@keyfare/core/time';
import type { LocalChain } from '@keyfare/devstack/chain';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { fundEth } from '@keyfare/devstack/usdc';
import {
  Body,
  Controller,
  type DynamicModule,
  Get,
  HttpCode,
  Module,
  Param,
  Post,
  type Provider,
  StandardSchemaValidationPipe,
  type Type,
} from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { privateKeyToAccount } from 'viem/accounts';
import { z } from 'zod';
import { migrateGate } from '../src/database.js';
import { GateModule } from '../src/module.js';
import { createAdapter, createLogger, NestLogger } from '../src/server/index.js';
import { AgreementService, type IssuedKey, KeyService, PlanService } from '../src/services.js';
import { CurrentPrincipal, Free, Priced } from '../src/tariff.js';

/** Lets a test stop a handler in the middle, and see how often it ran. */
class Work {
  runs = 0;
  #gate: Promise<void> | undefined;
  #open: (() => void) | undefined;

  /** From now on handlers wait. */
  pause(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  resume(): void {
    this.#open?.();
    this.#gate = undefined;
  }

  async run(): Promise<number> {
    this.runs += 1;
    await this.#gate;
    return this.runs;
  }
}

const echo = z.object({ text: z.string().max(100) });

/** The routes that tests call. */
@Controller()
export class TestController {
  static work = new Work();

  @Priced({ sku: 'ping', price: '$0.001' })
  @Get('ping')
  async ping(): Promise<object> {
    return { pong: true, run: await TestController.work.run() };
  }

  @Priced({ sku: 'other', price: '$0.001' })
  @Get('other')
  async other(): Promise<object> {
    return { other: true, run: await TestController.work.run() };
  }

  @Priced({ sku: 'echo', price: '$0.002', units: 2 })
  @Post('echo')
  @HttpCode(200)
  async echo(@Body({ schema: echo }) body: z.infer<typeof echo>): Promise<object> {
    await TestController.work.run();
    return { text: body.text };
  }

  @Priced({ sku: 'fail', price: '$0.001' })
  @Get('fail/:how')
  async fail(@Param('how') how: string): Promise<object> {
    await TestController.work.run();
    throw new Error(`the handler failed: ${how}`);
  }

  @Priced({ sku: 'whoami', price: '$0.001' })
  @Get('whoami')
  whoami(@CurrentPrincipal() principal: { kind: string } | undefined): object {
    return { kind: principal?.kind };
  }

  @Free()
  @Get('free')
  free(): object {
    return { free: true };
  }
}

/** What several gates of one test share: a database, a chain, and the secrets of one deployment. */
export interface Ground {
  readonly database: TestDatabase;
  readonly chain: LocalChain;
  readonly env: Readonly<Record<string, string>>;
  readonly payTo: `0x${string}`;
  close(): Promise<void>;
}

/** A database with the gate's schema, a chain with USDC, and a funded settler. */
export async function openGround(): Promise<Ground> {
  const [database, chain] = await Promise.all([
    createTestDatabase({ template: { name: 'gate', migrate: async (url) => void (await migrateGate(url)) } }),
    startTestChain(),
  ]);
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  await fundEth(chain.rpcUrl, privateKeyToAccount(settlerKey).address);
  const payTo = `0x${randomBytes(20).toString('hex')}` as const;
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    database,
    chain,
    payTo,
    env: {
      ...database.env,
      RPC_URL: chain.rpcUrl,
      PAY_TO: payTo,
      NETWORK: 'base-sepolia',
      SETTLER_PRIVATE_KEY: settlerKey,
      RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
    },
    close: async () => {
      await chain.kill();
      await database.drop();
    },
  };
}

/** A running gate. */
export interface GateUnderTest {
  readonly app: NestFastifyApplication;
  readonly url: string;
  /** What it logged, a line each. */
  readonly lines: string[];
  issueKey(plan?: {
    includedUnits?: bigint;
    overage?: Overage;
    overagePrice?: bigint;
    scopes?: string[];
  }): Promise<IssuedKey>;
  close(): Promise<void>;
}

/** Starts a gate on the ground, listening on a port of its own. */
export async function startGate(
  ground: Pick<Ground, 'env'>,
  options: {
    controllers?: Type[];
    providers?: Provider[];
    /** Modules beside the gate's. */
    imports?: DynamicModule[];
    env?: Readonly<Record<string, string>>;
    /** The clock of this process. */
    clock?: Clock;
    /** What a host does to its application before it listens. */
    prepare?: (app: NestFastifyApplication) => unknown;
  } = {},
): Promise<GateUnderTest> {
  @Module({
    imports: [
      withEnvironment({ ...ground.env, PUBLIC_URL: 'http://api.test', ...options.env }, () =>
        GateModule.forRoot(options.clock === undefined ? {} : { clock: options.clock }),
      ),
      ...(options.imports ?? []),
    ],
    controllers: options.controllers ?? [TestController],
    providers: [{ provide: APP_PIPE, useClass: StandardSchemaValidationPipe }, ...(options.providers ?? [])],
  })
  class TestModule {}
  const lines: string[] = [];
  const logger = createLogger(
    { name: 'test', level: 'info' },
    { write: (text: string) => void lines.push(...text.split('\n').filter((line) => line !== '')) },
  );
  const app = await NestFactory.create<NestFastifyApplication>(TestModule, createAdapter({ logger }), {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  try {
    await options.prepare?.(app);
    await app.listen({ host: '127.0.0.1', port: 0 });
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    url: `http://127.0.0.1:${port}`,
    lines,
    issueKey: async ({ includedUnits = 1_000n, overage = 'reject', overagePrice = 0n, scopes = [] } = {}) => {
      const slug = `plan-${randomBytes(6).toString('hex')}`;
      await app.get(PlanService).create({
        slug,
        includedUnits,
        overage,
        overagePrice: money('USD', overagePrice),
        monthlyPrice: money('USD', 0n),
      });
      const account = await app.get(AgreementService).open({ name: 'Test', plan: slug });
      return app.get(KeyService).issue(account.id, { name: 'test', scopes });
    },
    close: () => app.close(),
  };
}

/** Runs `work` with these variables set: the module reads the environment once, when it is made. */
function withEnvironment<T>(env: Readonly<Record<string, string>>, work: () => T): T {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    return work();
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}
