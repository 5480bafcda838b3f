import type { PricedTariff } from '@keyfare/core/metering';
import { isProblem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest, preParsingHookHandler } from 'fastify';
import { showsCredential } from '../credential/extract.js';
import { RouteTable } from '../server/route-table.js';
import { type Entering, type Exchange, exchangeOf } from './exchange.js';
import { Offers } from './offers.js';
import { PaidEntry } from './paid-entry.js';
import { checkSellable } from './sellable.js';

/** The first step of a call: what it costs. It needs no credential, and the body only where the tariff says so. */
@Injectable()
export class Quoting {
  constructor(
    private readonly offers: Offers,
    private readonly paid: PaidEntry,
    private readonly routes: RouteTable,
  ) {}

  /**
   * Fixes the quote, which holds for the 402, the claim, the receipt and the charge. Throws 400, 405 or 414 for what cannot be
   * sold, and what the tariff throws for a request that has no price.
   */
  quote(exchange: Exchange, request: FastifyRequest, tariff: PricedTariff): void {
    exchange.tariff = tariff;
    exchange.quote = tariff.quote;
    checkSellable(request, () => this.routes.methodsAt(request.raw.url ?? '/'));
    exchange.quote ??= tariff.quoteOf(request);
    exchange.resource = { method: request.method, url: this.offers.url(request) };
  }

  /**
   * A hook that answers whoever shows no credential before the body is read: with the guard's 402, whatever the body is, for
   * a price must be found without a valid one. Fastify reads bodies before any guard runs. Where the price depends on the
   * body, that guard asks.
   */
  askBeforeBody(tariff: PricedTariff): preParsingHookHandler {
    return (request, reply, payload, done) => {
      if (tariff.readsBody || showsCredential(request)) done(null, payload);
      else done(this.#unpaid(request, reply, tariff));
    };
  }

  #unpaid(request: FastifyRequest, reply: FastifyReply, tariff: PricedTariff): Error {
    const exchange = exchangeOf(request);
    try {
      this.quote(exchange, request, tariff);
      throw this.paid.challenge(this.paid.offers(exchange), 'payment/required');
    } catch (error) {
      return noteRefusal({ exchange, reply }, error) as Error;
    }
  }
}

/** What leaves is this refusal, with the headers of now: not what a filter of the host's makes of it. Answers the error to throw. */
export function noteRefusal({ exchange, reply }: Pick<Entering, 'exchange' | 'reply'>, error: unknown): unknown {
  const known = asProblem(error);
  exchange.headersBefore ??= reply.getHeaders();
  if (isProblem(known)) exchange.refusal = known;
  return known;
}
