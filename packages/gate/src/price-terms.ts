import { createHash } from 'node:crypto';
import type { FreeCalls } from '@keyfare/core/metering';

/** The least and the most of a figure, as text in decimals; the same where nothing varies. */
export interface Bounds {
  readonly min: string;
  readonly max: string;
}

/** What a price consists of, whoever sells it where. */
export interface PricedProduct {
  readonly sku: string;
  readonly scope: string | undefined;
  /** US dollars. */
  readonly price: Bounds;
  readonly units: Bounds;
  /** A function tells the price, or the units, of each request. */
  readonly isVariable: boolean;
  readonly free: FreeCalls | undefined;
  readonly accepts: readonly {
    readonly network: string;
    readonly asset: string;
    readonly payTo: string;
    readonly flow: string;
    readonly price: Bounds;
  }[];
}

/** A price as it is recorded. */
export interface PriceTerms {
  readonly id: string;
  readonly sku: string;
  /** JSON, its members in a fixed order: the id is the digest of these bytes. */
  readonly text: string;
}

/**
 * The terms of a price and their id: SHA-256 of all that a caller can come to pay by, so that another price, asset,
 * payee or flow is another id, and the same terms have the same one everywhere. Of a price by function it knows the
 * bounds.
 */
export function priceTerms({ sku, scope, price, units, isVariable, free, accepts }: PricedProduct): PriceTerms {
  const text = JSON.stringify({
    sku,
    scope: scope ?? sku,
    currency: 'USD',
    price: [price.min, price.max],
    units: [units.min, units.max],
    isVariable,
    accepts: accepts.map((offer) => [
      offer.network,
      offer.asset,
      offer.payTo.toLowerCase(),
      offer.flow,
      offer.price.min,
      offer.price.max,
    ]),
    free: free === undefined ? null : [free.calls, free.per, free.period, free.total],
  });
  return { id: `price_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`, sku, text };
}
