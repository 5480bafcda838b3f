import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import type { Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest, onSendHookHandler, preParsingHookHandler } from 'fastify';
import { GateConfig } from '../config.js';
import { fastifyOf } from '../fastify-of.js';
import { GateMetrics } from '../metrics.js';
import { AccessLog } from '../server/access-log.js';
import { allowOrigins } from '../server/cors.js';
import { takeRefusal } from '../server/raw-refusals.js';
import { parseTraceParent } from '../trace-parent.js';
import { Tracing } from '../tracing.js';
import { DryRuns, nothingSold } from './dry-run.js';
import { Exchange, exchangeOf, newExchangeId } from './exchange.js';
import { readsBody } from './sellable.js';
import { WayOut } from './way-out.js';

/**
 * The gate's middleware, as Fastify hooks: it opens the exchange of every request, digests the body while it is read,
 * and when the response closes it ends a hold that is still open and writes the access line.
 */
@Injectable()
export class ExchangeHooks {
  readonly #accessLog: AccessLog;

  constructor(
    host: HttpAdapterHost,
    private readonly config: GateConfig,
    private readonly metrics: GateMetrics,
    private readonly tracing: Tracing,
    private readonly wayOut: WayOut,
    private readonly dryRuns: DryRuns,
  ) {
    const fastify = fastifyOf(host);
    allowOrigins(host.httpAdapter, config.corsOrigins, config.operatorCorsOrigins);
    fastify.decorate('problemBase', `${pathOf(config.publicUrl)}/problems/`);
    this.#accessLog = new AccessLog(fastify.log);
    fastify.decorateRequest('keyfare', null);
    fastify.addHook('onRequest', (request, reply, done) => {
      const exchange = this.#open(request, reply);
      const refusal = this.#enterDryRun(exchange, request);
      if (refusal !== null) done(refusal);
      else if (exchange.trace === undefined) done();
      else exchange.trace.run(done);
    });
    // A body is read in the context of its socket: what comes after it is put into the call's again.
    if (tracing.isOn) {
      fastify.addHook('preHandler', (request, _reply, done) => {
        const { trace } = exchangeOf(request);
        if (trace === undefined) done();
        else trace.run(done);
      });
    }
    const digest: preParsingHookHandler = (request, _reply, payload, done) => {
      done(null, readsBody(request) ? payload.pipe(this.#digest(request)) : payload);
    };
    fastify.addHook('onRoute', (route) => {
      // A GET has no body that anybody reads: the hook would cost each of them its run.
      const isBodiless = [route.method].flat().every((method) => method === 'GET' || method === 'HEAD');
      if (!isBodiless) route.preParsing = [digest, route.preParsing ?? []].flat();
    });
    fastify.addHook('preClose', (done) => {
      this.wayOut.isClosing = true;
      done();
    });
    fastify.addHook('onClose', (_instance, done) => {
      this.#accessLog.flush();
      done();
    });
  }

  /**
   * The first `onSend` hook of the priced routes. Nest's own hooks (CORS, security) run before ours, and what they
   * answer has no exchange yet: without one the way out could not tell a preflight from an answer that nobody paid for.
   */
  readonly enter: onSendHookHandler = (request, reply, payload, done) => {
    if (request.keyfare === null) this.#open(request, reply);
    this.wayOut.enter.call(request.server, request, reply, payload, done);
  };

  #open(request: FastifyRequest, reply: FastifyReply): Exchange {
    const openedAt = this.config.clock();
    const exchange = new Exchange(newExchangeId(openedAt), openedAt, performance.now());
    request.keyfare = exchange;
    reply.raw.on('close', () => this.#close(request, reply));
    const { traceparent } = request.headers;
    if (traceparent !== undefined || this.tracing.isOn) this.#trace(exchange, request, reply);
    return exchange;
  }

  /**
   * Marks the exchange of a dry run. Answers why it must go no further: no guard of ours stands in front of that
   * handler.
   */
  #enterDryRun(exchange: Exchange, request: FastifyRequest): Problem | null {
    const dryRun = this.dryRuns.take(request);
    if (dryRun === undefined) return null;
    exchange.dryRun = dryRun;
    // The router took it to no route: the filter says why.
    if (request.is404) return null;
    if (request.routeOptions.config.isPriced !== true) return nothingSold();
    dryRun.exchange = exchange;
    return null;
  }

  #trace(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    const parent = parseTraceParent(request.headers['traceparent']);
    exchange.trace = this.tracing.open(request, exchange.id, parent);
    exchange.traceId = exchange.trace?.traceId ?? parent?.traceId;
    // Only for who takes part in tracing.
    if (parent !== null && exchange.trace !== undefined) reply.header('traceresponse', exchange.trace.response);
  }

  #digest(request: FastifyRequest): Transform & { receivedEncodedLength: number } {
    const hash = createHash('sha256');
    const through = Object.assign(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          // Fastify compares this with Content-Length, and with its limit.
          through.receivedEncodedLength += chunk.length;
          hash.update(chunk);
          done(null, chunk);
        },
        flush(done) {
          exchangeOf(request).requestDigest = `sha-256=:${hash.digest('base64')}:`;
          done();
        },
      }),
      { receivedEncodedLength: 0 },
    );
    return through;
  }

  /** One line for each request, with what may be known and nothing that may not: no header, no body, no query. */
  #close(request: FastifyRequest, reply: FastifyReply): void {
    const exchange = exchangeOf(request);
    const { statusCode, writableFinished } = reply.raw;
    // Node calls a response finished also when its last write failed. After a whole one the socket still stands here.
    const finished = writableFinished && !request.raw.socket.destroyed;
    exchange.leave();
    this.wayOut.close(exchange, finished);
    // Refused before its body was read: what is left of it would stand in front of the connection's next request.
    if (!request.raw.complete) request.raw.unpipe().resume();
    // Node could not read the request to its end: another answer than this response was written to the socket.
    const unread = reply.raw.headersSent ? undefined : takeRefusal(request.raw.socket);
    const status = unread?.status ?? statusCode;
    if (unread !== undefined) request.problemCode = unread.code;
    const route = request.routeOptions.url ?? 'unmatched';
    const durationMs = performance.now() - exchange.openedAtMs;
    const { rail, receiptId: receipt, trace, traceId } = exchange;
    const sku = exchange.quote?.sku;
    if (trace !== undefined) {
      trace.end({ status, rail, sku, problem: request.problemCode, receipt });
      this.tracing.forget(exchange.id);
    }
    // No call: whoever asked is counted, and has a line.
    if (exchange.dryRun !== undefined) return;
    this.metrics.observeCall({ route, rail, status, seconds: durationMs / 1_000 });
    if (exchange.quote !== undefined) this.metrics.observeStages(rail, exchange.spentMs);
    if (request.problemCode !== undefined) this.metrics.refusals.inc({ code: request.problemCode });
    this.#accessLog.write({
      exchange: exchange.id,
      method: request.method,
      route,
      status,
      rail,
      sku,
      principal: exchange.principal,
      problem: request.problemCode,
      receipt,
      trace: traceId,
      aborted: !finished,
      durationMs,
    });
  }
}

/** The path of the public URL, without a slash at its end. */
function pathOf(publicUrl: string): string {
  return new URL(publicUrl).pathname.replace(/\/$/, '');
}
