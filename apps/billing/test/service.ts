import type { AddressInfo } from 'node:net';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BillingModule } from '../src/billing.module.js';
import { readBillingConfig } from '../src/config.js';
import { serveOpenApi } from '../src/openapi.js';
import type { World } from './world.js';

/** A running billing, with its loops and its scheduled jobs. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly lines: readonly string[];
  /** As the operator. */
  call(path: string, init?: { method?: string; body?: unknown; token?: string | null }): Promise<Answer>;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly body: never;
}

export async function startService(world: World, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const config = readBillingConfig({ ...world.env, INTAKE_INTERVAL_MS: '50', CHAIN_INTERVAL_MS: '50', ...env });
  const lines: string[] = [];
  const logger = createLogger({ name: 'billing', level: 'info' }, { write: (line: string) => void lines.push(line) });
  const app = await NestFactory.create<NestFastifyApplication>(
    BillingModule.forRoot(config, world.clock),
    createAdapter({ logger }),
    { logger: new NestLogger(logger), abortOnError: false },
  );
  try {
    serveOpenApi(app);
    await app.listen({ host: '127.0.0.1', port: 0 });
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    url,
    lines,
    call: async (path, { method, body, token = config.operatorToken } = {}) => {
      const response = await fetch(`${url}${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = response.headers.get('content-type')?.includes('json') === true;
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: (json ? JSON.parse(text) : undefined) as never,
      };
    },
    close: async () => app.close(),
  };
}

/** The value, as soon as it is what was expected; the last one seen when it does not become so in twenty seconds. */
export async function settled<T>(read: () => Promise<T>, expected: T): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await read();
    if (value === expected || Date.now() > deadline) return value;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
