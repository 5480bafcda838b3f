import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type onErrorHookHandler,
  type onRequestHookHandler,
} from 'fastify';
import type { Logger } from 'pino';
import '../request-slots.js';
import { type OperatorPaths, operatorPathsOf } from '../operator-paths.js';
import { parseTraceParent } from '../trace-parent.js';
import { AccessLog } from './access-log.js';
import { rawCorsHeaders } from './cors.js';
import { responsesOf } from './gated-response.js';
import { defaultProblemBase } from './problem-answer.js';
import { RawRefusals } from './raw-refusals.js';
import { refusedTarget, routableTarget } from './request-target.js';

export interface AdapterSettings {
  readonly logger: Logger;
  /** @default 1 MiB */
  readonly bodyLimitBytes?: number;
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses, networks (CIDR), `loopback`, `uniquelocal`. @default none
   */
  readonly trustedProxies?: readonly string[];
}

const servers = new WeakMap<FastifyInstance, { isClosing: boolean }>();

/** From now on each answer ends its connection, so that callers have left before the server closes. */
export function announceClosing(fastify: FastifyInstance): void {
  const server = servers.get(fastify);
  if (server !== undefined) server.isClosing = true;
}

/**
 * A Fastify adapter with a server's manners: bounded bodies and headers, and a problem with CORS headers and an access
 * line for every request that is refused, also for those that never reach a route or a hook.
 */
export function createAdapter(settings: AdapterSettings): FastifyAdapter {
  const { logger, bodyLimitBytes = 1_048_576, trustedProxies = [] } = settings;
  const server = { isClosing: false };
  const accessLog = new AccessLog(logger);
  const refusals = new RawRefusals(accessLog, {
    corsHeaders: (origin) => rawCorsHeaders(adapter, origin),
    typeBase: () => instance.problemBase ?? defaultProblemBase,
  });
  const adapter = new FastifyAdapter({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    // Anyone may write the header: it says nothing unless one of these brings it.
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    http: { ServerResponse: responsesOf(server), requireHostHeader: false },
    rewriteUrl: routableTarget,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      // The router gave up, and no hook has run. Routed once more, the request passes all of them.
      request.raw.url = refusedTarget(error.code);
      instance.routing(request.raw, reply.raw);
    },
    // A child logger for each request costs more than our one line of it, which names the exchange.
    childLoggerFactory: (parent: FastifyBaseLogger) => parent,
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    // Calls that come in on open connections while the server closes are answered like others, and their connections
    // then closed: see `GatedResponse`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => refusals.unreadable(error, socket),
  });
  const instance = adapter.getInstance<FastifyInstance>();
  servers.set(instance, server);
  instance.server.on('connect', ({ headers }: IncomingMessage, socket: Duplex) => {
    refusals.tunnel(socket, headers.origin);
  });
  // RFC 9110 §10.1.1 lets a server ignore what it does not know; Node would refuse it with an empty answer.
  instance.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    instance.routing(request, response);
  });
  instance.addHook('onResponse', (request, reply, done) => {
    writeWithoutExchange(accessLog, request, reply);
    done();
  });
  instance.addHook('preClose', (done) => {
    server.isClosing = true;
    done();
  });
  instance.addHook('onClose', (_instance, done) => {
    accessLog.flush();
    done();
  });
  instance.addHook('onRequest', forgiveEmptyBody(operatorPathsOf(adapter)));
  instance.addHook('onError', readOn(16 * bodyLimitBytes));
  return adapter;
}

/**
 * Clients that always name a type name one for no body, too. On the routes of operators that is as good as none: where
 * something is asked, the route's schema misses it.
 */
function forgiveEmptyBody(paths: OperatorPaths): onRequestHookHandler {
  return ({ headers, routeOptions }, _reply, done) => {
    if (headers['content-type'] !== undefined && paths.hasRoute(routeOptions.url ?? '')) {
      const length = headers['content-length'];
      const isEmpty = headers['transfer-encoding'] === undefined && (length === undefined || length === '0');
      if (isEmpty) delete headers['content-type'];
    }
    done();
  };
}

/**
 * Keeps a connection whose body was refused, which Fastify would close. What is left of the body is read and dropped,
 * up to `maxBytes`; a longer one, and one of unknown length, ends the connection as `lingerAtEnd` says.
 */
function readOn(maxBytes: number): onErrorHookHandler {
  return ({ headers }, reply, error, done) => {
    // Fastify's errors say a `statusCode`; those of Nest's parsers, and ours, a `status`.
    const { statusCode, status = statusCode } = error as { readonly statusCode?: number; readonly status?: number };
    const isRefused = status === 413 || status === 400;
    if (isRefused && Number(headers['content-length']) <= maxBytes) void reply.removeHeader('connection');
    done();
  };
}

/** The line of a request for which no exchange was opened: a hook refused it before, or the program has no gate. */
function writeWithoutExchange(accessLog: AccessLog, request: FastifyRequest, reply: FastifyReply): void {
  if (request.keyfare !== null && request.keyfare !== undefined) return;
  accessLog.write({
    exchange: request.occurrence ?? randomUUID(),
    method: request.method,
    route: request.routeOptions.url ?? 'unmatched',
    status: reply.raw.statusCode,
    rail: 'none',
    sku: undefined,
    principal: undefined,
    problem: request.problemCode,
    receipt: undefined,
    trace: parseTraceParent(request.headers['traceparent'])?.traceId,
    aborted: !reply.raw.writableFinished,
    durationMs: reply.elapsedTime,
  });
}
