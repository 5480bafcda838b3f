import { type Money, money } from '../money/index.js';
import type { PaymentFlow } from '../x402/index.js';
import type { FreeCalls } from './free.js';

/** One way to pay for a route by wallet. What it leaves out is the gate's default. */
export interface TariffOffer {
  /** Name or CAIP-2 identifier of the network. */
  readonly network?: string | undefined;
  /** Contract of the asset; only USDC is taken so far. */
  readonly asset?: string | undefined;
  /** Who is paid. */
  readonly payTo?: string | undefined;
  /** The price of one call, in USD; default: the tariff's. */
  readonly price?: Money | undefined;
  readonly flow?: PaymentFlow | undefined;
}

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
  /** The media type of the answer (RFC 6838), as offers name it; default: JSON. */
  readonly mimeType?: string | undefined;
  /** Ways to pay by wallet, the preferred one first; none: the gate's default network, payee and flow. */
  readonly offers?: readonly TariffOffer[] | undefined;
  /** Calls that cost nothing; none where it is left out. */
  readonly free?: FreeCalls | undefined;
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
  /** Ways to pay by wallet; their prices are in USDC. */
  readonly offers?: readonly TariffOffer[] | undefined;
}

/** The quote for a call under `tariff`: one USDC is taken for one US dollar, unit for unit. Total. */
export function quoteTariff({ sku, units, price, scope, offers }: PricedTariff): Quote {
  return { sku, units, price: money('USDC', price.atomic), scope, ...(offers && { offers: offers.map(inUsdc) }) };
}

function inUsdc(offer: TariffOffer): TariffOffer {
  return offer.price === undefined ? offer : { ...offer, price: money('USDC', offer.price.atomic) };
}
