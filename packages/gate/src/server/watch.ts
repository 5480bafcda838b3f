import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '@keyfare/core/problem';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';

/** Who may see how the process is doing: everybody, unless one of these is set. */
export const watchEnvironment = {
  /** Metrics and the details of readiness are told on this port and no other; nothing else is answered there. */
  WATCH_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  /** They are told to whoever shows this as a bearer token. */
  WATCH_TOKEN: z.string().min(32, 'must have at least 32 characters').optional(),
  /**
   * For so long a process that is told to stop says so at /readyz and serves on. Empty: 5 seconds in production, else
   * none.
   */
  DRAIN_MS: z.coerce.number().int().min(0).max(300_000).optional(),
};

export interface WatchSettings {
  readonly port?: number | undefined;
  readonly token?: string | undefined;
  /** See `DRAIN_MS`. @default 0 */
  readonly drainMs?: number | undefined;
}

/** The settings of `Watch` from parsed values of `watchEnvironment`. */
export function readWatch(
  values: { readonly [Name in keyof typeof watchEnvironment]?: z.infer<(typeof watchEnvironment)[Name]> },
  { isProduction }: { readonly isProduction: boolean },
): WatchSettings {
  return {
    port: values.WATCH_PORT,
    token: values.WATCH_TOKEN,
    drainMs: values.DRAIN_MS ?? (isProduction ? 5_000 : 0),
  };
}

const paths: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** Tells those who watch the process from strangers, and tells them that it is about to stop. */
export class Watch {
  readonly #hurry = new AbortController();
  #port: number | undefined;
  #server: Server | undefined;
  #isStopping = false;

  constructor(private readonly settings: WatchSettings) {}

  /** Whether the process was told to stop: a balancer is to send it nothing more. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Says at /readyz that the process stops, and resolves when a balancer has had the time to see it. */
  async drain(): Promise<void> {
    this.#isStopping = true;
    await delay(this.settings.drainMs ?? 0, undefined, { signal: this.#hurry.signal }).catch(() => undefined);
  }

  /** Ends the wait of `drain`: the process was told to stop again. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Whether the request may see metrics and the details of readiness. */
  trusts(request: FastifyRequest): boolean {
    const { port, token } = this.settings;
    if (port === undefined && token === undefined) return true;
    if (this.#isOnPort(request)) return true;
    const presented = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return token !== undefined && presented !== undefined && timingSafeEqual(digest(presented), digest(token));
  }

  /** 404 for strangers: there is nothing for them here. */
  demandTrust(request: FastifyRequest): void {
    if (!this.trusts(request)) throw new Problem('request/not-found');
  }

  /** Opens the port for the watch, where one is set. Before the application listens. */
  async open(fastify: FastifyInstance, host: string): Promise<void> {
    const { port } = this.settings;
    if (port === undefined) return;
    const server = createServer((request, response) => fastify.routing(request, response));
    this.#server = server;
    server.listen({ host, port });
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** On the port for the watch nothing else is answered. Before the routes are made. */
  guard(fastify: FastifyInstance): void {
    if (this.settings.port === undefined) return;
    fastify.addHook('onRequest', (request, _reply, done) => {
      const isElsewhere = this.#isOnPort(request) && !paths.has(request.url.split('?', 1)[0] ?? '');
      done(isElsewhere ? new Problem('request/not-found') : undefined);
    });
    fastify.addHook('onClose', async () => this.close());
  }

  private async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeIdleConnections();
    server.close();
    await Promise.race([once(server, 'close'), new Promise((wake) => setTimeout(wake, 1_000).unref())]);
    server.closeAllConnections();
  }

  #isOnPort(request: FastifyRequest): boolean {
    return this.#port !== undefined && request.socket.localPort === this.#port;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The answer of a question that is asked at most twice a second, however many ask: strangers ask it too. */
export function atMostTwiceASecond<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return async () => {
    if (answer !== undefined) return answer;
    const asked = ask();
    answer = asked;
    setTimeout(() => {
      if (answer === asked) answer = undefined;
    }, 500).unref();
    return asked;
  };
}
