import { type PlanTerms, periodOf, type Quote, type TariffOffer, type TermsRecord } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { GateConfig } from '../config.js';
import type { KeyRefusal } from '../meter/bucket.js';

/** What the corridor says of prices and limits to those whose call cannot go on without. */
@Injectable()
export class Offers {
  constructor(private readonly config: GateConfig) {}

  /** The absolute URL that is sold, and a line about it. */
  resource(request: FastifyRequest, { sku }: Quote): { url: string; description: string } {
    return { url: this.url(request), description: sku };
  }

  /** The request's URL as callers know it: by the configured URL, so that no Host header gets into what we sign. */
  url(request: FastifyRequest): string {
    const { publicUrl, mountPath } = this.config;
    const target = request.raw.url ?? '/';
    const isMounted =
      mountPath !== '' && target.startsWith(mountPath) && /^[/?]?$/.test(target.charAt(mountPath.length));
    const asked = isMounted ? target.slice(mountPath.length) : target;
    return `${publicUrl}${asked.startsWith('/') ? '' : '/'}${asked}`;
  }

  /**
   * What a call beyond the plan costs by wallet: the plan's price for a unit, or the route's where the plan has none.
   * Of a plan whose price is $0 nobody asks this: such a call is served by key (`limitOf`). The plan's price is in
   * dollars, so it is paid in USDC: offers in another asset are left out, and a route that has no other has its first
   * one made in USDC.
   */
  overage(plan: PlanTerms, quote: Quote): Quote {
    if (plan.overagePrice === null) return quote;
    const price = plan.overagePrice.atomic * quote.units;
    const inUsdc = quote.offers?.filter(({ asset = 'USDC' }) => asset === 'USDC') ?? [];
    const taken = inUsdc.length > 0 ? inUsdc : quote.offers?.slice(0, 1);
    const offers = taken?.map(({ network, payTo, flow }): TariffOffer => ({ network, payTo, flow }));
    return { ...quote, price: money('USDC', price), ...(offers && { offers }) };
  }

  /** 429, with the reset time only when the month's units are truly used up. */
  refused(refusal: KeyRefusal, terms: TermsRecord, now: Date): Problem {
    if (refusal === 'exhausted') return this.#exhausted(terms, now);
    return new Problem('meter/contended', undefined, { headers: { 'retry-after': '1' } });
  }

  /** The moment at which the allowance is whole again (RFC 9110 §10.2.3). */
  #exhausted(terms: TermsRecord, now: Date): Problem {
    const { end } = periodOf(terms.plan, now);
    const seconds = Math.max(1, Math.ceil((end.getTime() - now.getTime()) / 1_000));
    return new Problem(
      'meter/exhausted',
      `The ${terms.plan.includedUnits} units of this month are used up; they are renewed at ${end.toISOString()}.`,
      { extensions: { resetAt: end.toISOString() }, headers: { 'retry-after': String(seconds) } },
    );
  }
}
