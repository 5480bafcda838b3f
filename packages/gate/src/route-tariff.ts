import type { PricedTariff, Tariff, TariffOffer } from '@keyfare/core/metering';
import { type Money, parsePrice } from '@keyfare/core/money';
import { findNetwork, type PaymentFlow } from '@keyfare/core/x402';
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { HEADERS_METADATA } from '@nestjs/common/internal';
import { type FreeOptions, readFree } from './free-options.js';
import { address } from './setting.js';

const tariffKey = 'keyfare:tariff';
const faultsKey = 'keyfare:tariff-faults';
/** RFC 9110 §8.3.1; parameters, in printable ASCII. */
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\x20-\x7e]*)?$/;
const skuShape = /^[a-z0-9][a-z0-9._:-]{0,63}$/;

/** One way to pay for a route by wallet. What it leaves out is the route's, or the gate's default. */
export interface OfferOptions {
  /** Name or CAIP-2 identifier of a configured network. @default the gate's `NETWORK` */
  readonly network?: string;
  /** Contract of the asset; only USDC is taken so far. @default the network's USDC */
  readonly asset?: string;
  /** Who is paid. @default the network's `PAY_TO` */
  readonly payTo?: string;
  /** In US dollars. @default the route's price */
  readonly price?: string;
  /** @default the route's flow */
  readonly flow?: PaymentFlow;
}

/** What a priced handler declares. */
export interface PricedOptions {
  /** The product, as receipts and invoices name it: lower-case letters, digits, `.`, `_`, `:`, `-`. */
  readonly sku: string;
  /** The price of one call for a wallet, in US dollars: `'$0.001'`, at most six decimals. */
  readonly price: string;
  /** How many units of its plan's allowance a call costs an account. Default 1. */
  readonly units?: number;
  /** The scope a key must have where its scopes are limited. Default: the sku. */
  readonly scope?: string;
  /** The media type of the answer, for offers. @default that of `@Header('Content-Type', …)`, or `application/json` */
  readonly mimeType?: string;
  /** When a payment is settled: after the handler, before it, or later in bulk. @default 'authorization' */
  readonly flow?: PaymentFlow;
  /** Ways to pay by wallet, the preferred one first. @default one, with every default */
  readonly accepts?: readonly OfferOptions[];
  /** Calls that callers without a key get for nothing. @default none */
  readonly free?: FreeOptions;
}

/**
 * The route is sold: by key against the account's plan, by wallet at this price. A declaration that makes no sense throws
 * nothing here, where nobody knows the route yet: the start is refused, with those of all routes (`TariffAudit`).
 */
export function Priced(options: PricedOptions): MethodDecorator {
  const { sku, price, units = 1, scope, mimeType, flow, accepts = [{}] } = options;
  const free = options.free && readFree(options.free);
  const faults: string[] = [];
  if (!skuShape.test(sku)) faults.push(`"${sku}" is no sku: lower-case letters, digits, ".", "_", ":" and "-"`);
  if (!Number.isSafeInteger(units) || units < 1) faults.push('units must be a whole number, at least 1');
  if (mimeType !== undefined && !mediaType.test(mimeType)) faults.push(`"${mimeType}" is no media type`);
  faults.push(...(free?.faults ?? []));
  const amount = readPrice(price, faults);
  const offers = accepts.map((offer) => readOffer({ ...(flow && { flow }), ...offer }, faults));
  if (offers.length === 0) faults.push('accepts must name at least one offer, or be left out');
  const keys = offers.map(({ network, payTo, price: own }) => `${network} ${payTo} ${own?.atomic}`);
  if (new Set(keys).size < keys.length) faults.push('accepts has two offers that a payment cannot tell apart');
  if (amount === undefined || faults.length > 0) return SetMetadata(faultsKey, Object.freeze(faults));
  const tariff = { kind: 'priced', sku, price: amount, units: BigInt(units), scope: scope ?? sku, offers } as const;
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

/** What `@Header('Content-Type', …)` of a handler says; undefined where it says nothing, or a function that says it later. */
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

/** More than any asset has: what is above it is a typing error, and would not fit the token's uint256. */
const highestPrice = 10n ** 18n;

function readPrice(text: string, faults: string[]): Money | undefined {
  const amount = priceOf(text);
  const fault =
    amount === undefined
      ? `the price ${JSON.stringify(text)} is none: write dollars with at most six decimals, such as "$0.001"`
      : amount.atomic === 0n
        ? 'the price is $0, which no wallet can pay: say @Free(), or a price'
        : amount.atomic > highestPrice
          ? `the price ${text} is more than there is: write dollars with at most six decimals, such as "$0.001"`
          : undefined;
  if (fault !== undefined) faults.push(fault);
  return fault === undefined ? amount : undefined;
}

function priceOf(text: string): Money | undefined {
  try {
    return parsePrice(text);
  } catch {
    return undefined;
  }
}

function readOffer({ network, asset, payTo, price, flow }: OfferOptions, faults: string[]): TariffOffer {
  const found = network === undefined ? undefined : findNetwork(network);
  if (found === null)
    faults.push(`accepts names the network ${JSON.stringify(network)}, on which no payments are taken`);
  const payee = payTo === undefined ? undefined : address.safeParse(payTo);
  if (payee?.error !== undefined) faults.push(`payTo ${payee.error.issues[0]?.message ?? 'must be an address'}`);
  const amount = price === undefined ? undefined : readPrice(price, faults);
  return {
    network: found?.caip2,
    asset,
    payTo: payee?.data,
    price: amount,
    ...(flow && { flow }),
  };
}
