import {
  isConstant,
  type PricedTariff,
  type Product,
  type ProductOffer,
  quoteProduct,
  type Tariff,
} from '@keyfare/core/metering';
import { scopeText } from '@keyfare/core/text';
import type { PaymentFlow } from '@keyfare/core/x402';
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { HEADERS_METADATA } from '@nestjs/common/internal';
import { type FreeOptions, readFree } from './free-options.js';
import { readAsset } from './offer-asset.js';
import { address } from './setting.js';
import { type ChoiceOption, readChoice, showChoice } from './tariff-choice.js';
import { type PriceOption, readPrice, readUnits, toRefusal, type UnitsOption } from './tariff-figure.js';
import { checkReads, type NoReads, type Reads, type RequestOf, readRequest } from './tariff-request.js';

const tariffKey = 'keyfare:tariff';
const faultsKey = 'keyfare:tariff-faults';
/** RFC 9110 §8.3.1; parameters, in printable ASCII. */
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\x20-\x7e]*)?$/;
const skuShape = /^[a-z0-9][a-z0-9._:-]{0,63}$/;

/** One way to pay for a route by wallet. What it leaves out is the route's, or the gate's default. */
export interface OfferOptions<Request = never> {
  /** Name or CAIP-2 identifier of a configured network. @default the gate's `NETWORK` */
  readonly network?: string;
  /** `'USDC'` or `'EURC'`, or its contract, which names the network too. @default 'USDC' */
  readonly asset?: string;
  /** Who is paid. @default the network's `PAY_TO` */
  readonly payTo?: string;
  /**
   * In US dollars, and of EURC in euros: `'€0.001'`. @default the sku's price; EURC has none, for nothing is converted
   */
  readonly price?: PriceOption<Request>;
  /** @default the route's flow */
  readonly flow?: PaymentFlow;
}

/** What a call costs. */
export interface SkuOptions<R extends Reads = Reads> {
  /** The price of one call for a wallet: the same for every request, or told of each within bounds. */
  readonly price: PriceOption<RequestOf<R>>;
  /** How many units of its plan's allowance a call costs an account. @default 1 */
  readonly units?: UnitsOption<RequestOf<R>>;
  /** The scope a key must have where its scopes are limited. @default the sku */
  readonly scope?: string;
  /** Ways to pay by wallet, the preferred one first. @default those of the route, or one with every default */
  readonly accepts?: readonly OfferOptions<RequestOf<R>>[];
}

/** What a priced handler declares, whatever it sells. */
export interface RouteOptions<R extends Reads = Reads> {
  /** The media type of the answer, for offers. @default that of `@Header('Content-Type', …)`, or `application/json` */
  readonly mimeType?: string;
  /** When a payment is settled: after the handler, before it, or later in bulk. @default 'authorization' */
  readonly flow?: PaymentFlow;
  /**
   * The schemas of what functions of the tariff are told of the request. @default method, path parameters and query as
   * text
   */
  readonly reads?: R;
  /** Calls that callers without a key get for nothing; of each sku. @default none */
  readonly free?: FreeOptions;
}

/** What a priced handler declares that sells one product. */
export interface PricedOptions<R extends Reads = Reads> extends RouteOptions<R>, SkuOptions<R> {
  /** The product, as receipts and invoices name it: lower-case letters, digits, `.`, `_`, `:`, `-`. */
  readonly sku: string;
}

/** What a priced handler declares that sells one of several products. */
export interface ChosenOptions<R extends Reads = Reads, Sku extends string = string> extends RouteOptions<R> {
  /** The products, by sku. */
  readonly skus: Readonly<Record<Sku, SkuOptions<R>>>;
  /** Which of them a request buys. */
  readonly choose: ChoiceOption<RequestOf<R>, NoInfer<Sku>>;
  /** Ways to pay by wallet for each product that has none of its own; their prices are the products'. */
  readonly accepts?: readonly Omit<OfferOptions, 'price'>[];
}

type AnyOptions = Omit<PricedOptions, 'sku' | 'price'> &
  Partial<Pick<PricedOptions, 'sku' | 'price'> & Pick<ChosenOptions, 'skus' | 'choose'>>;

/**
 * The route is sold: by key against the account's plan, by wallet at this price. A declaration that makes no sense
 * throws nothing here, where nobody knows the route yet: the start is refused, with those of all routes
 * (`TariffAudit`).
 *
 * @example Priced({ sku: 'forecast', price: '$0.001' })
 * @example Priced({ sku: 'pages', price: { max: '$0.05', of: ({ query }) => (query['long'] ? '$0.05' : '$0.01') } })
 */
export function Priced<const R extends Reads = NoReads>(options: PricedOptions<R>): MethodDecorator;
export function Priced<const R extends Reads = NoReads, const Sku extends string = string>(
  options: ChosenOptions<R, Sku>,
): MethodDecorator;
export function Priced(given: object): MethodDecorator {
  const options = given as AnyOptions;
  const { mimeType } = options;
  const free = options.free && readFree(options.free);
  const faults: string[] = [];
  if (mimeType !== undefined && !mediaType.test(mimeType)) faults.push(`"${mimeType}" is no media type`);
  faults.push(...(free?.faults ?? []));
  const tariff = readTariff(options, faults);
  if (tariff === undefined || faults.length > 0) return SetMetadata(faultsKey, Object.freeze(faults));
  return (target, name, descriptor) => {
    const handler: unknown = descriptor.value;
    // `@Header()` may stand above or below: it is read when an offer is made.
    const full: PricedTariff = {
      ...tariff,
      ...(free && { free: free.calls }),
      get mimeType() {
        return mimeType ?? contentTypeOf(handler as object);
      },
    };
    SetMetadata(tariffKey, Object.freeze(full))(target as object, name, descriptor);
  };
}

function readTariff(options: AnyOptions, faults: string[]): Omit<PricedTariff, 'mimeType'> | undefined {
  const { sku, skus, choose, reads = {} } = options;
  if ((sku === undefined) === (skus === undefined)) {
    faults.push('a route sells one sku, or chooses among skus: name one of the two');
    return undefined;
  }
  checkReads(reads, faults);
  const products = readProducts(options, faults);
  const choice = skus === undefined ? () => String(sku) : readChoice(choose, new Set(Object.keys(skus)), faults);
  const isFixed = skus === undefined && products.every(isConstant);
  if (isFixed && Object.keys(reads).length > 0) faults.push('reads is for prices, units and choices by function');
  if (choice === undefined || faults.length > 0) return undefined;
  const nothing = { method: '', query: {}, params: {}, body: undefined };
  const bySku = new Map(products.map((product) => [product.sku, product]));
  const fixed = new Map(products.filter(isConstant).map((product) => [product.sku, quoteProduct(product, nothing)]));
  return {
    kind: 'priced',
    products,
    choice: showChoice(choose),
    quote: isFixed ? fixed.get(String(sku)) : undefined,
    readsBody: reads.body !== undefined,
    quoteOf: (called) => {
      try {
        const request = readRequest(called, reads);
        const chosen = choice(request);
        return fixed.get(chosen) ?? quoteProduct(bySku.get(chosen) as Product, request);
      } catch (error) {
        throw toRefusal(error);
      }
    },
  };
}

/** What the route sells, with what it declares for all of it; without what makes no sense. */
function readProducts(options: AnyOptions, faults: string[]): readonly Product[] {
  const { sku, skus, flow, accepts } = options;
  const route = { ...(flow && { flow }), ...(accepts && { accepts }) };
  if (skus === undefined) {
    return readProduct({ ...options, sku: String(sku), price: options.price as string }, faults);
  }
  if (accepts?.some((offer) => offer.price !== undefined) === true) {
    faults.push('accepts of a route with several skus has a price: say it in the accepts of the sku it is of');
  }
  const all = Object.entries<SkuOptions>(skus);
  if (all.length === 0) faults.push('there are no skus');
  return all.flatMap(([name, own]) => {
    const ownFaults: string[] = [];
    const product = readProduct({ ...route, ...own, sku: name }, ownFaults);
    faults.push(...ownFaults.map((fault) => `sku "${name}": ${fault}`));
    return product;
  });
}

/** The product as declared; none, with faults told, for one that makes no sense. */
function readProduct(
  { sku, price, units = 1, scope, flow, accepts = [{}] }: PricedOptions,
  faults: string[],
): readonly Product[] {
  if (!skuShape.test(sku)) faults.push(`"${sku}" is no sku: lower-case letters, digits, ".", "_", ":" and "-"`);
  if (scope !== undefined && !scopeText.safeParse(scope).success) {
    faults.push(`scope ${JSON.stringify(scope)} is none that a key can have`);
  }
  const count = readUnits(units, faults);
  const amount = readPrice(price, faults);
  const offers = accepts.map((offer) => readOffer({ ...(flow && { flow }), ...offer }, faults));
  if (offers.length === 0) faults.push('accepts must name at least one offer, or be left out');
  const figures = offers.map(({ price: own }) => own ?? amount);
  const keys = offers.map(({ network, asset = 'USDC', payTo }, index) => {
    const figure = figures[index];
    return `${network} ${asset} ${payTo} ${figure?.of === undefined ? figure?.max.atomic : `of ${figures.indexOf(figure)}`}`;
  });
  if (new Set(keys).size < keys.length) faults.push('accepts has two offers that a payment cannot tell apart');
  if (amount === undefined || count === undefined) return [];
  return [Object.freeze({ sku, price: amount, units: count, scope: scope ?? sku, offers })];
}

/**
 * What `@Header('Content-Type', …)` of a handler says; undefined where it says nothing, or a function that says it
 * later.
 */
function contentTypeOf(handler: object): string | undefined {
  const headers = (Reflect.getMetadata(HEADERS_METADATA, handler) ?? []) as readonly { name: string; value: unknown }[];
  const value = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value;
  return typeof value === 'string' ? value : undefined;
}

/** What is wrong with what a handler declares of its price; nothing for one that declares none. */
export function tariffFaultsOf(handler: object): readonly string[] {
  return (Reflect.getMetadata(faultsKey, handler) ?? []) as readonly string[];
}

/** The route costs nothing and needs no credential. On a class it speaks for every handler without a price. */
export function Free(): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(tariffKey, Object.freeze({ kind: 'free' })));
}

/** What a handler declares, or its class; undefined for neither, which does not survive the boot. */
export function tariffOf(handler: object, controller: object): Tariff | undefined {
  const own: unknown = Reflect.getMetadata(tariffKey, handler);
  return (own ?? Reflect.getMetadata(tariffKey, controller)) as Tariff | undefined;
}

function readOffer({ network, asset, payTo, price, flow }: OfferOptions, faults: string[]): ProductOffer {
  const paidIn = readAsset({ network, asset }, faults);
  const payee = payTo === undefined ? undefined : address.safeParse(payTo);
  if (payee?.error !== undefined) faults.push(`payTo ${payee.error.issues[0]?.message ?? 'must be an address'}`);
  const priceAsset = paidIn.asset === 'USDC' ? 'USD' : paidIn.asset;
  const amount = price === undefined ? undefined : readPrice(price, faults, priceAsset);
  if (price === undefined && priceAsset !== 'USD') {
    faults.push(`accepts asks for ${priceAsset} without a price in it, and no price is converted: say price`);
  }
  return {
    network: paidIn.network,
    ...(priceAsset !== 'USD' && { asset: priceAsset }),
    payTo: payee?.data,
    price: amount,
    ...(flow && { flow }),
  };
}
