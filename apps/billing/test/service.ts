import type { AddressInfo } from 'node:net';
import { issueToken } from '@keyfare/gate/operators';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { expect } from '@keyfare/jest-preset/globals';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BillingModule } from '../src/billing.module.js';
import { readBillingConfig } from '../src/config.js';
import { serveConsole } from '../src/console/pages.js';
import { serveOpenApi } from '../src/openapi.js';
import type { World } from './world.js';

/** A running billing, with its loops and its scheduled jobs. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly lines: readonly string[];
  /** As the operator. */
  call(path: string, init?: CallInit): Promise<Answer>;
  /** Asks for a reconciliation, and waits for it: the run when it has ended. */
  reconcile(init?: Pick<CallInit, 'token' | 'headers'> & { readonly scope?: 'recent' | 'full' }): Promise<Answer>;
  /** The operator's. */
  readonly token: string;
  close(): Promise<void>;
}

interface CallInit {
  readonly method?: string;
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly body: never;
}

/** Quick steps, and a node that may take as long as a machine that stands still. */
const patient = { INTAKE_INTERVAL_MS: '50', CHAIN_INTERVAL_MS: '50', RPC_TIMEOUT_MS: '60000' };

export async function startService(world: World, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const config = readBillingConfig({ ...world.env, ...patient, ...env });
  const lines: string[] = [];
  const logger = createLogger({ name: 'billing', level: 'info' }, { write: (line: string) => void lines.push(line) });
  const app = await NestFactory.create<NestFastifyApplication>(
    BillingModule.forRoot(config, { now: world.clock }),
    createAdapter({ logger }),
    { logger: new NestLogger(logger), abortOnError: false },
  );
  try {
    serveOpenApi(app);
    serveConsole(app);
    await app.listen({ host: '127.0.0.1', port: 0 });
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const operator = await makeOperator(world);
  const call: Service['call'] = async (path, { method, body, token = operator, headers = {} } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
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
  };
  return {
    app,
    url,
    lines,
    token: operator,
    call,
    reconcile: async ({ scope, token, headers } = {}) => {
      const as = token === undefined ? {} : { token };
      const asked = await call('/reconciliations', {
        ...as,
        ...(headers === undefined ? {} : { headers }),
        body: scope === undefined ? {} : { scope },
      });
      if (asked.status !== 202) throw new Error(`no run was begun: ${asked.text}`);
      const path = asked.headers.get('location') ?? '';
      for (;;) {
        const answer = await call(path, as);
        if (answer.status !== 200) throw new Error(`the run is not found: ${answer.text}`);
        if (['done', 'failed'].includes((answer.body as { state: string }).state)) return answer;
        await new Promise((wake) => setTimeout(wake, 20));
      }
    },
    close: async () => app.close(),
  };
}

/** An operator of the API, with the scopes that are named: billing knows no others. */
export async function makeOperator(
  world: World,
  scopes: readonly string[] = ['read', 'write', 'money'],
): Promise<string> {
  const { id, token, hash } = issueToken();
  await world.sql.query({
    text: `insert into keyfare.operator (id, name, scopes, token_hash, last_four, created_at, expires_at)
      values ($1, $1, $2, $3, $4, now(), now() + interval '1 day')`,
    values: [id, scopes, hash, token.slice(-4)],
  });
  return token;
}

/** The value, as soon as it is what was expected; the last one seen when it does not become so in two minutes. */
export async function settled<T>(read: () => Promise<T>, expected: T): Promise<T> {
  const deadline = Date.now() + 110_000;
  for (;;) {
    const value = await read();
    if (value === expected || Date.now() > deadline) return value;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** A scrape waits a second for its figures, and shows older ones then. */
export async function expectMetrics(service: Service, patterns: readonly RegExp[]): Promise<void> {
  const missing = async (): Promise<string> => {
    const { text } = await service.call('/metrics', { token: null });
    return patterns.filter((pattern) => !pattern.test(text)).join(', ');
  };
  expect(await settled(missing, '')).toBe('');
}
