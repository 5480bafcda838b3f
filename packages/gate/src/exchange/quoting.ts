import { type PricedTariff, quoteTariff } from '@keyfare/core/metering';
import { isProblem, type Problem } from '@keyfare/core/problem';
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

/** The first step of a call: what it costs. It needs neither the body nor a credential. */
@Injectable()
export class Quoting {
  constructor(
    private readonly offers: Offers,
    private readonly paid: PaidEntry,
    private readonly free: FreeEntry,
    private readonly routes: RouteTable,
  ) {}

  /** Throws 400, 405 or 414 for what cannot be sold. */
  quote(exchange: Exchange, request: FastifyRequest, tariff: PricedTariff): void {
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
      const refuse = (error: unknown): void => {
        done(noteRefusal({ exchange: exchangeOf(request), reply }, error) as Error);
      };
      if (showsCredential(request)) done(null, payload);
      else this.#unpaid(request, tariff).then((problem) => (problem === null ? done(null, payload) : refuse(problem)), refuse);
    };
  }

  /** The 402; null while the caller has free calls left. */
  async #unpaid(request: FastifyRequest, tariff: PricedTariff): Promise<Problem | null> {
    const exchange = exchangeOf(request);
    this.quote(exchange, request, tariff);
    const isAsked = await this.free.isAsked(exchange, request);
    return isAsked ? this.free.required(exchange, this.paid.offers(exchange)) : null;
  }
}

/** What leaves is this refusal, with the headers of now: not what a filter of the host's makes of it. Answers the error to throw. */
export function noteRefusal({ exchange, reply }: Pick<Entering, 'exchange' | 'reply'>, error: unknown): unknown {
  const known = asProblem(error);
  exchange.headersBefore ??= reply.getHeaders();
  if (isProblem(known)) exchange.refusal = known;
  return known;
}
