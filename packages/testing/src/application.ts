import 'reflect-metadata';
import { type GateOverride, gateOverride } from '@keyfare/gate/module';
import {
  type DynamicModule,
  Global,
  type INestApplication,
  type LoggerService,
  type LogLevel,
  Module,
  type Type,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { isGateVariable } from './settings.js';

/** A root module, or a function that loads it: for a module that reads the environment when it is loaded. */
export type RootModule = Type | DynamicModule | (() => Promise<Type | DynamicModule>);

/** How to run an application. */
export interface ListenOptions {
  /** What your own main.ts does to the application before it listens: prefixes, pipes. */
  readonly prepare?: (app: INestApplication) => unknown;
  /** What Nest logs. @default errors and warnings */
  readonly logger?: LoggerService | LogLevel[] | false;
  /** @default a `FastifyAdapter` without options */
  readonly adapter?: AbstractHttpAdapter;
}

/** An application that listens. */
export interface ListeningApplication {
  readonly app: INestApplication;
  /** `http://127.0.0.1:…`, without a slash at its end. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

interface Start {
  readonly root: RootModule;
  readonly options: ListenOptions;
  readonly env: Readonly<Record<string, string>>;
  readonly override: GateOverride;
  readonly port: number;
}

/**
 * Starts a host's application with the override in its container, and the environment of the test while its modules are
 * loaded and made: `forRoot` reads the environment at once. What was in the environment is back afterwards.
 */
export async function startApplication({
  root,
  options: { prepare, adapter = new FastifyAdapter(), logger = ['fatal', 'error', 'warn'] },
  env,
  override,
  port,
}: Start): Promise<{ readonly app: INestApplication; readonly url: string }> {
  const app = await withEnvironment(env, async () => {
    const module = isLoader(root) ? await root() : root;
    return NestFactory.create(underTest(module, override), adapter, { logger, abortOnError: false });
  });
  try {
    await prepare?.(app);
    await app.listen(port, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  return { app, url: `http://127.0.0.1:${String(port)}` };
}

/** The host's module, beside one that provides the override to the whole application. */
function underTest(root: Type | DynamicModule, override: GateOverride): Type {
  @Global()
  @Module({ providers: [{ provide: gateOverride, useValue: override }], exports: [gateOverride] })
  class OverrideModule {}
  @Module({ imports: [OverrideModule, root] })
  class UnderTest {}
  return UnderTest;
}

/** Arrow functions and async functions have no `prototype`; classes have one. */
function isLoader(root: RootModule): root is () => Promise<Type | DynamicModule> {
  return typeof root === 'function' && (root as { readonly prototype?: unknown }).prototype === undefined;
}

let turn: Promise<unknown> = Promise.resolve();

/** One after the other: two at once would each put back what the other had set. */
async function withEnvironment<T>(env: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const mine = turn.then(async () => await changeEnvironment(env, work));
  turn = mine.catch(() => undefined);
  return await mine;
}

/** Runs `work` with the settings of the test and none of the shell's that are a gate's. */
async function changeEnvironment<T>(env: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const names = [...Object.keys(process.env).filter(isGateVariable), ...Object.keys(env)];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, env);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
