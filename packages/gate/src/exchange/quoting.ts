import { type PricedTariff, quoteTariff } from '@keyfare/core/metering';
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

/** The first step of a call: what it costs. It needs neither the body nor a credential. */
@Injectable()
export class Quoting {
  constructor(
    private readonly offers: Offers,
    private readonly paid: PaidEntry,
    private readonly routes: RouteTable,
  ) {}

  /** Throws 400, 405 or 414 for what cannot be sold. */
  quote(exchange: Exchange, request: FastifyRequest, tariff: PricedTariff): void {
    exchange.enter('quote');
    exchange.tariff = tariff;
    checkSellable(request, () => this.routes.methodsAt(request.raw.url ?? '/'));
    exchange.quote = quoteTariff(tariff);
    exchange.resource = { method: request.method, url: this.offers.url(request) };
  }

  /**
   * A hook that answers whoever shows no credential before the body is read: with the guard's 402, whatever the body is, for
   * a price must be found without a valid one. Fastify reads bodies before any guard runs.
   */
  askBeforeBody(tariff: PricedTariff): preParsingHookHandler {
    return (request, reply, payload, done) => {
      if (showsCredential(request)) done(null, payload);
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
