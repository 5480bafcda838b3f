import { MissingRights } from '@keyfare/db/rights';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ConfigurationError } from '../config.js';
import { announceClosing, createAdapter } from './adapter.js';
import { NestLogger } from './logger.js';
import { Watch } from './watch.js';

export interface ServerSettings {
  /** The root module: a class, or what its `forRoot` made. */
  readonly module: Parameters<typeof NestFactory.create>[0];
  readonly logger: Logger;
  readonly host: string;
  readonly port: number;
  /** As `AdapterSettings` has them. @default none */
  readonly trustedProxies?: readonly string[];
  /** Where the application has one: the same that its status routes ask. */
  readonly watch?: Watch;
  /** Called between the making of the application and its first request; a promise is waited for. */
  readonly prepare?: (app: NestFastifyApplication) => unknown;
}

/**
 * Starts a Nest application that ends well: on SIGTERM and SIGINT it says at /readyz that it stops, serves on for
 * `DRAIN_MS` while balancers turn away from it, answers what is under way, stops, and exits with 0. A second signal
 * ends the wait.
 */
export async function startServer(settings: ServerSettings): Promise<NestFastifyApplication> {
  const { module, logger, host, port, prepare, trustedProxies = [] } = settings;
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter({ logger, trustedProxies }), {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  try {
    await prepare?.(app);
    const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
    const watch = settings.watch ?? new Watch({});
    watch.guard(fastify);
    await app.init();
    await fastify.ready();
    await watch.open(fastify, host);
    stopAtSignals(app, watch);
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw error;
  }
  logger.info({ url: await app.getUrl() }, 'listening');
  return app;
}

/**
 * Nest's own shutdown hooks stop listening at once, while a balancer still sends calls: they would meet a closed port.
 */
function stopAtSignals(app: NestFastifyApplication, watch: Watch): void {
  const stop = async (): Promise<void> => {
    announceClosing(app.getHttpAdapter().getInstance());
    await watch.drain();
    await app.close();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (watch.isStopping) {
        watch.hurry();
        return;
      }
      // It exits rather than raise the signal again, for the logger writes its last lines at the exit.
      void stop().then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`${String(error)}\n`);
          process.exit(1);
        },
      );
    });
  }
}

/** Runs a program's start; what is wrong with it is said once, in full, and the program ends with 1. */
export async function main(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    const isPlain = error instanceof ConfigurationError || error instanceof MissingRights;
    const text = isPlain ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  }
}
