import type { PricedTariff } from '@keyfare/core/metering';
import { isProblem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest, preParsingHookHandler } from 'fastify';
import { showsCredential } from '../credential/extract.js';
import { RouteTable } from '../server/route-table.js';
import { type Entering, type Exchange, exchangeOf } from './exchange.js';
import { FreeEntry } from './free-entry.js';
import { Offers } from './offers.js';
import { PaidEntry } from './paid-entry.js';
import { checkSellable } from './sellable.js';

/** The first step of a call: what it costs. It needs no credential, and the body only where the tariff says so. */
@Injectable()
export class Quoting {
  constructor(
    private readonly offers: Offers,
    private readonly paid: PaidEntry,
    private readonly free: FreeEntry,
    private readonly routes: RouteTable,
  ) {}

  /**
   * Fixes the quote, which holds for the 402, the claim, the receipt and the charge. Throws 400, 405 or 414 for what
   * cannot be sold, and what the tariff throws for a request that has no price.
   */
  quote(exchange: Exchange, request: FastifyRequest, tariff: PricedTariff): void {
    exchange.enter('quote');
    exchange.tariff = tariff;
    exchange.quote = tariff.quote;
    checkSellable(request, () => this.routes.methodsAt(request.raw.url ?? '/'));
    exchange.quote ??= tariff.quoteOf(request);
    exchange.resource = { method: request.method, url: this.offers.url(request) };
  }

  /**
   * A hook that answers whoever shows no credential before the body is read: with the guard's 402, whatever the body
   * is, for a price must be found without a valid one. Fastify reads bodies before any guard runs. Where the price
   * depends on the body, that guard asks.
   */
  askBeforeBody(tariff: PricedTariff): preParsingHookHandler {
    return (request, reply, payload, done) => {
      if (tariff.readsBody || showsCredential(request)) done(null, payload);
      else void this.#refuseUnpaid({ request, reply }, tariff, (refusal) => done(refusal, payload));
    };
  }

  /** Tells `done` the 402, or null while the caller has free calls left. At once where nobody has to be asked. */
  async #refuseUnpaid(
    { request, reply }: Pick<Entering, 'request' | 'reply'>,
    tariff: PricedTariff,
    done: (refusal: Error | null) => void,
  ): Promise<void> {
    const exchange = exchangeOf(request);
    let refusal: unknown = null;
    try {
      this.quote(exchange, request, tariff);
      const asked = this.free.isAsked(exchange, request);
      if (asked === true || (await asked)) refusal = this.free.required(exchange, this.paid.offers(exchange));
    } catch (error) {
      refusal = error;
    }
    done(refusal === null ? null : (noteRefusal({ exchange, reply }, refusal) as Error));
  }
}

/**
 * What leaves is this refusal, with the headers of now: not what a filter of the host's makes of it. Answers the error
 * to throw.
 */
export function noteRefusal({ exchange, reply }: Pick<Entering, 'exchange' | 'reply'>, error: unknown): unknown {
  const known = asProblem(error);
  exchange.headersBefore ??= reply.getHeaders();
  if (isProblem(known)) exchange.refusal = known;
  return known;
}
