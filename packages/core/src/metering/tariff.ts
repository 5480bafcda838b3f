import { type Money, money } from '../money/index.js';

/** What a route declares of itself when it sells something: the price for wallets and the units for keys. */
export interface PricedTariff {
  readonly kind: 'priced';
  /** The name of what is sold; stable, for it stands in receipts and on invoices. */
  readonly sku: string;
  /** The price of one call for a payer, in USD. */
  readonly price: Money;
  /** How many units one call takes from the allowance of an account. */
  readonly units: bigint;
  /** The scope that a key must have to make the call, if any. */
  readonly scope?: string | undefined;
}

/** What a route declares of itself: a price, or that it is free. A route with neither does not start. */
export type Tariff = PricedTariff | { readonly kind: 'free' };

/** The price of one call, fixed before work starts. */
export interface Quote {
  readonly sku: string;
  readonly units: bigint;
  /** In USDC, which payers pay in. */
  readonly price: Money;
  readonly scope?: string | undefined;
}

/** The quote for a call under `tariff`: one USDC is taken for one US dollar, unit for unit. Total. */
export function quoteTariff({ sku, units, price, scope }: PricedTariff): Quote {
  return { sku, units, price: money('USDC', price.atomic), scope };
}
