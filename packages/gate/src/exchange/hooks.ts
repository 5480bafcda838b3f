import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GateConfig } from '../config.js';
import { GateMetrics } from '../metrics.js';
import { allowOrigins } from '../server/cors.js';
import { type Exchange, exchangeOf, newExchangeId } from './exchange.js';
import { Holds } from './holds.js';
import { readsBody } from './sellable.js';

/**
 * The gate's middleware, as Fastify hooks: it opens the exchange of every request, digests the body while it is read,
 * and when the response closes it voids a hold that nobody took over and writes the access line. Neither a guard's
 * refusal nor a lost connection escapes that moment, as both would escape an interceptor.
 */
@Injectable()
export class ExchangeHooks {
  constructor(
    host: HttpAdapterHost,
    private readonly config: GateConfig,
    private readonly metrics: GateMetrics,
    private readonly holds: Holds,
  ) {
    if (host.httpAdapter.getType() !== 'fastify') throw new TypeError('Keyfare needs the Fastify adapter of Nest');
    allowOrigins(host.httpAdapter, config.corsOrigins);
    const fastify = host.httpAdapter.getInstance<FastifyInstance>();
    fastify.decorateRequest('keyfare', null);
    fastify.addHook('onRequest', (request, reply, done) => {
      this.#open(request, reply);
      done();
    });
    fastify.addHook('preParsing', (request, _reply, payload, done) => {
      done(null, readsBody(request) ? payload.pipe(this.#digest(request)) : payload);
    });
  }

  #open(request: FastifyRequest, reply: FastifyReply): void {
    request.keyfare = null;
    const openedAt = this.config.clock();
    const exchange: Exchange = { id: newExchangeId(openedAt), openedAt, openedAtMs: performance.now() };
    request.keyfare = exchange;
    reply.raw.once('close', () => this.#close(request, reply));
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
    this.holds.close(exchange);
    const route = request.routeOptions.url ?? 'unmatched';
    const rail = exchange.hold === undefined ? 'none' : exchange.hold.rail === 'key' ? 'key' : 'x402';
    const status = reply.raw.statusCode;
    const durationMs = performance.now() - exchange.openedAtMs;
    this.metrics.calls.inc({ route, rail, status });
    this.metrics.duration.observe({ rail }, durationMs / 1_000);
    if (request.problemCode !== undefined) this.metrics.refusals.inc({ code: request.problemCode });
    request.log.info(
      {
        exchange: exchange.id,
        method: request.method,
        route,
        status,
        rail,
        sku: exchange.quote?.sku,
        principal: principalOf(exchange.principal),
        problem: request.problemCode,
        receipt: exchange.receiptId,
        aborted: reply.raw.writableFinished ? undefined : true,
        durationMs: Math.round(durationMs * 1_000) / 1_000,
      },
      'exchange',
    );
  }
}

function principalOf(
  principal: { kind: 'account'; accountId: string; keyId: string } | { kind: 'payer'; payer: string } | undefined,
) {
  if (principal === undefined) return undefined;
  return principal.kind === 'account'
    ? { account: principal.accountId, key: principal.keyId }
    : { payer: principal.payer };
}
