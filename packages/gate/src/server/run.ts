import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ConfigurationError } from '../config.js';
import { createAdapter } from './adapter.js';
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
  /** Called between the making of the application and its first request. */
  readonly prepare?: (app: NestFastifyApplication) => void;
}

/**
 * Starts a Nest application that ends well: on SIGTERM and SIGINT it answers what is under way, stops, and exits with 0.
 * It exits rather than raise the signal again, for the logger writes its last lines at the exit.
 */
export async function startServer(settings: ServerSettings): Promise<NestFastifyApplication> {
  const { module, logger, host, port, prepare, trustedProxies = [] } = settings;
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter({ logger, trustedProxies }), {
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  try {
    prepare?.(app);
    const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
    const watch = settings.watch ?? new Watch({});
    watch.guard(fastify);
    await app.init();
    await fastify.ready();
    await watch.open(fastify, host);
    app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw error;
  }
  logger.info({ url: await app.getUrl() }, 'listening');
  return app;
}

/** Runs a program's start; what is wrong with it is said once, in full, and the program ends with 1. */
export async function main(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    const text =
      error instanceof ConfigurationError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  }
}
