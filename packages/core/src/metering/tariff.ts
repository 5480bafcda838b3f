import { type Money, money, type TokenCode } from '../money/index.js';
import type { PaymentFlow } from '../x402/index.js';
import type { FreeCalls } from './free.js';

/** Texts by name; a name that came several times has all its texts, in order. */
export type RequestTexts = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * What a price may depend on: what stands in a request's line and body, so that the same request always costs the same.
 * Frozen, and its records have no prototype. No header is in it, for a payment is bound to method, URL and body only.
 */
export interface PricedRequest<Query = RequestTexts, Params = RequestTexts, Body = unknown> {
  readonly method: string;
  /** The parameters of the route's path, decoded. */
  readonly params: Params;
  readonly query: Query;
  /** What the tariff's schema makes of the body; undefined where the tariff reads none. */
  readonly body: Body;
}

/** A request as the server has parsed it. */
export interface CalledRequest {
  readonly method: string;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** A figure that is the same for every request, or the bounds of one that is told of each. */
export interface Figure<T> {
  readonly min: T;
  readonly max: T;
  /** The figure for a request, within the bounds. Throws where there is none. */
  readonly of?: ((request: PricedRequest) => T) | undefined;
}

/** One way to pay for a call by wallet. What it leaves out is the gate's default. */
export interface TariffOffer {
  /** Name or CAIP-2 identifier of the network. */
  readonly network?: string | undefined;
  /** What is paid in; default: USDC. */
  readonly asset?: TokenCode | undefined;
  /** Who is paid. */
  readonly payTo?: string | undefined;
  /** The price of one call, in the asset; default, of USDC alone: the quote's. */
  readonly price?: Money | undefined;
  readonly flow?: PaymentFlow | undefined;
}

/** An offer as a product declares it: its price, in USD for USDC and else in its asset, may depend on the request. */
export interface ProductOffer extends Omit<TariffOffer, 'price'> {
  readonly price?: Figure<Money> | undefined;
}

/** What is sold under a name of its own: the price for wallets and the units for keys. */
export interface Product {
  /** The name of what is sold; stable, for it stands in receipts and on invoices. */
  readonly sku: string;
  /** The price of one call for a payer, in USD. */
  readonly price: Figure<Money>;
  /** How many units one call takes from the allowance of an account. */
  readonly units: Figure<bigint>;
  /** The scope that a key must have to make the call, if any. */
  readonly scope?: string | undefined;
  /** Ways to pay by wallet, the preferred one first; none: the gate's default network, payee and flow. */
  readonly offers?: readonly ProductOffer[] | undefined;
}

/** Which product each value of a parameter of the request chooses. */
export interface TariffChoice {
  readonly in: 'query' | 'path';
  readonly name: string;
  /** The sku of each value. */
  readonly values: Readonly<Record<string, string>>;
  /** The sku without the parameter. */
  readonly absent?: string | undefined;
}

/** What a route declares of itself when it sells something. */
export interface PricedTariff {
  readonly kind: 'priced';
  /** All that the route sells, at least one. */
  readonly products: readonly Product[];
  /** How a request chooses among the products; undefined where it does not, or where a function chooses. */
  readonly choice?: TariffChoice | undefined;
  /** The quote of every request, where nothing of it depends on the request. */
  readonly quote?: Quote | undefined;
  /** The quote of one request. Throws where the request has no price. */
  readonly quoteOf: (request: CalledRequest) => Quote;
  /** The quote depends on the body, so it is made after the body was read. */
  readonly readsBody: boolean;
  /** The media type of the answer (RFC 6838), as offers name it; default: JSON. */
  readonly mimeType?: string | undefined;
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
  /** Ways to pay by wallet; their prices are in their assets. */
  readonly offers?: readonly TariffOffer[] | undefined;
}

/** A figure that is the same for every request. */
export function constant<T>(value: T): Figure<T> {
  return Object.freeze({ min: value, max: value });
}

/** Whether a product costs the same for every request. */
export function isConstant({ price, units, offers = [] }: Product): boolean {
  return [price, units, ...offers.map((offer) => offer.price)].every((figure) => figure?.of === undefined);
}

/**
 * The quote for a call of `product`: one USDC is taken for one US dollar, unit for unit. Each function of the product
 * is called once; what it throws is thrown. Frozen, for the quote of a constant product belongs to many calls.
 */
export function quoteProduct(product: Product, request: PricedRequest): Quote {
  const { sku, scope } = product;
  const price = inToken(valueOf(product.price, request));
  const units = valueOf(product.units, request);
  const offers = product.offers?.map(({ price: own, ...offer }): TariffOffer => {
    return Object.freeze(own === undefined ? offer : { ...offer, price: inToken(valueOf(own, request)) });
  });
  return Object.freeze({ sku, units, price, scope, ...(offers && { offers: Object.freeze(offers) }) });
}

/**
 * What an offer of a quote asks, in its asset. An offer in another asset than USDC without a price is a bug: TypeError.
 */
export function priceOfOffer(quote: Quote, { asset = 'USDC', price = quote.price }: TariffOffer): Money {
  if (price.asset !== asset) throw new TypeError(`An offer in ${asset} has a price in ${price.asset}.`);
  return price;
}

/** A dollar is paid by one USDC. Nothing else is converted. */
function inToken(price: Money): Money {
  return price.asset === 'USD' ? money('USDC', price.atomic) : price;
}

function valueOf<T>({ max, of }: Figure<T>, request: PricedRequest): T {
  return of === undefined ? max : of(request);
}
