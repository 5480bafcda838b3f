import type { PricedTariff, Product, TariffChoice } from '@keyfare/core/metering';
import { formatMoney, type Money, money } from '@keyfare/core/money';
import type { PaymentTerms, Token } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';
import { GateConfig } from './config.js';
import { PricedRoutes } from './exchange/priced-routes.js';
import { PaymentService } from './payment/payment.service.js';
import { type Bounds, type PricedProduct, priceTerms } from './price-terms.js';

/** One way to pay for a product by wallet, with what the gate's settings add to the tariff. */
export interface SoldOffer {
  readonly scheme: 'exact';
  /** CAIP-2. */
  readonly network: string;
  readonly asset: string;
  readonly symbol: Token['symbol'];
  readonly payTo: string;
  readonly flow: PaymentTerms['flow'];
  /** What the price is in: one USDC is taken for a US dollar, one EURC for a euro. */
  readonly currency: Token['currency'];
  readonly price: Bounds;
  /** Atomic units of the asset. */
  readonly amount: Bounds;
  /** What signers of the asset need: the domain of its EIP-712 messages. */
  readonly extra: { readonly name: string; readonly version: string };
  readonly maxTimeoutSeconds: number;
}

/** What is sold under one name, and all ways to pay for it. */
export interface SoldProduct extends PricedProduct {
  /** The id of the price, which is in `/prices`; of all that stands here. */
  readonly priceId: string;
  readonly accepts: readonly SoldOffer[];
}

/** A priced route as callers find it. */
export interface SoldRoute {
  /** Upper-case. */
  readonly method: string;
  /** Below `PUBLIC_URL`, its parameters as OpenAPI writes them: `/v1/items/{id}`. */
  readonly path: string;
  readonly products: readonly SoldProduct[];
  /** Over all products and all ways to pay by wallet in one currency: in US dollars where any is, else in euros. */
  readonly price: Bounds;
  readonly currency: Token['currency'];
  /** How a request chooses among them; undefined where it does not, or where a function chooses. */
  readonly choice: TariffChoice | undefined;
  readonly free: PricedTariff['free'];
  readonly mimeType: string;
  /** The tariff itself, which the guard quotes by. */
  readonly tariff: PricedTariff;
}

/**
 * All that the application sells, from the tariffs and the settings: what every document about prices is written from.
 */
@Injectable()
export class SoldRoutes {
  constructor(
    private readonly routes: PricedRoutes,
    private readonly payments: PaymentService,
    private readonly config: GateConfig,
  ) {}

  /** Each priced route with each of its methods; complete once the application has registered its routes. */
  list(): readonly SoldRoute[] {
    return this.routes.list().map(({ method, url, tariff }) => {
      const products = tariff.products.map((product) => this.#sold(product, tariff.free));
      const { price, currency } = priceOver(products.flatMap(({ accepts }) => accepts));
      return {
        method,
        path: soldPath(url, this.config.mountPath),
        products,
        price,
        currency,
        choice: tariff.choice,
        free: tariff.free,
        mimeType: tariff.mimeType ?? 'application/json',
        tariff,
      };
    });
  }

  #sold(product: Product, free: PricedTariff['free']): SoldProduct {
    const least = this.#offers(product, 'min');
    const most = this.#offers(product, 'max');
    const figures = [product.price, product.units, ...(product.offers ?? []).map(({ price }) => price)];
    const sold = {
      sku: product.sku,
      scope: product.scope,
      price: boundsOf(product.price, formatMoney),
      units: boundsOf(product.units, String),
      isVariable: figures.some((figure) => figure?.of !== undefined),
      free,
      accepts: most.map((terms, index) => soldOffer(least[index] ?? terms, terms)),
    };
    return { priceId: priceTerms(sold).id, ...sold };
  }

  /** The offers of a 402, as the guard would make them for a request at this end of the bounds. */
  #offers({ sku, scope, price, units, offers }: Product, end: 'min' | 'max'): readonly PaymentTerms[] {
    const given = offers?.map(({ price: own, ...offer }) => ({ ...offer, price: own && inToken(own[end]) }));
    const quote = { sku, scope, units: units[end], price: inToken(price[end]), ...(given && { offers: given }) };
    return this.payments.offers(quote, { url: this.config.publicUrl, description: sku, mimeType: '' });
  }
}

/** One USDC is taken for one US dollar, unit for unit; nothing else is converted. */
function inToken(amount: Money): Money {
  return amount.asset === 'USD' ? money('USDC', amount.atomic) : amount;
}

function soldOffer(least: PaymentTerms, most: PaymentTerms): SoldOffer {
  const { flow, network, asset, payTo, maxTimeoutSeconds } = most;
  const amounts = { min: least.amount, max: most.amount };
  return {
    scheme: 'exact',
    network: network.caip2,
    asset: asset.checksumAddress,
    symbol: asset.symbol,
    payTo,
    flow,
    currency: asset.currency,
    price: boundsOf(amounts, (amount) => formatMoney(money(asset.symbol, amount))),
    amount: boundsOf(amounts, String),
    extra: { name: asset.name, version: asset.version },
    maxTimeoutSeconds,
  };
}

/** Prices in two currencies have no lowest and no highest. */
function priceOver(all: readonly SoldOffer[]): Pick<SoldRoute, 'price' | 'currency'> {
  const currency = all.some((offer) => offer.currency === 'USD') ? 'USD' : 'EUR';
  const offers = all.filter((offer) => offer.currency === currency);
  const least = offers.reduce((a, b) => (BigInt(b.amount.min) < BigInt(a.amount.min) ? b : a));
  const most = offers.reduce((a, b) => (BigInt(b.amount.max) > BigInt(a.amount.max) ? b : a));
  return { currency, price: { min: least.price.min, max: most.price.max } };
}

function boundsOf<T>({ min, max }: { min: T; max: T }, format: (value: T) => string): Bounds {
  return { min: format(min), max: format(max) };
}

/** The path of a route of Fastify as callers use it, its parameters in braces. */
function soldPath(url: string, mountPath: string): string {
  // Fastify writes `:name`, with a pattern in parentheses where the route has one.
  return withoutMount(url, mountPath).replaceAll(/:(\w+)(?:\([^)]*\))?/g, '{$1}');
}

/** The path without the one that a proxy adds in front of it. */
export function withoutMount(path: string, mountPath: string): string {
  const isMounted = mountPath !== '' && (path === mountPath || path.startsWith(`${mountPath}/`));
  const own = isMounted ? path.slice(mountPath.length) : path;
  return own === '' ? '/' : own;
}
