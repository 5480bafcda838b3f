import type { PricedTariff, Tariff, TariffOffer } from '@keyfare/core/metering';
import { parsePrice } from '@keyfare/core/money';
import { findNetwork, type PaymentFlow } from '@keyfare/core/x402';
import { applyDecorators, SetMetadata } from '@nestjs/common';
import { HEADERS_METADATA } from '@nestjs/common/internal';

const tariffKey = 'keyfare:tariff';
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
}

/** The route is sold: by key against the account's plan, by wallet at this price. Throws at boot on a bad price. */
export function Priced({
  sku,
  price,
  units = 1,
  scope,
  mimeType,
  flow,
  accepts = [{}],
}: PricedOptions): MethodDecorator {
  if (!skuShape.test(sku)) throw new TypeError(`@Priced: "${sku}" is not a sku`);
  if (!Number.isSafeInteger(units) || units < 1) throw new TypeError(`@Priced: ${sku} needs whole units, at least 1`);
  const amount = parsePrice(price);
  if (amount.atomic === 0n) throw new TypeError(`@Priced: ${sku} costs nothing; say @Free()`);
  const offers = accepts.map((offer) => readOffer(sku, { ...(flow && { flow }), ...offer }));
  if (offers.length === 0) throw new TypeError(`@Priced: ${sku} accepts nothing`);
  const keys = offers.map(({ network, payTo, price: own }) => `${network} ${payTo} ${own?.atomic}`);
  if (mimeType !== undefined && !mediaType.test(mimeType))
    throw new TypeError(`@Priced: "${mimeType}" is no media type`);
  if (new Set(keys).size < keys.length)
    throw new TypeError(`@Priced: ${sku} has two offers that a payment cannot tell apart`);
  const tariff = { kind: 'priced', sku, price: amount, units: BigInt(units), scope: scope ?? sku, offers } as const;
  return (target, name, descriptor) => {
    const handler: unknown = descriptor.value;
    // `@Header()` may stand above or below: it is read when an offer is made.
    const full: PricedTariff = {
      ...tariff,
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

/** The route costs nothing and needs no credential. On a class it speaks for every handler without a price. */
export function Free(): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(tariffKey, Object.freeze({ kind: 'free' })));
}

/** What a handler declares, or its class; undefined for neither, which does not survive the boot. */
export function tariffOf(handler: object, controller: object): Tariff | undefined {
  const own: unknown = Reflect.getMetadata(tariffKey, handler);
  return (own ?? Reflect.getMetadata(tariffKey, controller)) as Tariff | undefined;
}

function readOffer(sku: string, { network, asset, payTo, price, flow }: OfferOptions): TariffOffer {
  const found = network === undefined ? undefined : findNetwork(network);
  if (found === null) throw new TypeError(`@Priced: ${sku} names a network on which no payments are taken`);
  if (payTo !== undefined && !/^0x(?!0{40}$)[0-9a-fA-F]{40}$/.test(payTo)) {
    throw new TypeError(`@Priced: ${sku} pays to what is no address`);
  }
  if (asset !== undefined && found !== undefined && asset.toLowerCase() !== found.usdc.address) {
    throw new TypeError(`@Priced: ${sku} asks for another asset than USDC`);
  }
  const amount = price === undefined ? undefined : parsePrice(price);
  if (amount?.atomic === 0n) throw new TypeError(`@Priced: ${sku} has an offer that costs nothing`);
  return {
    network: found?.caip2,
    asset,
    payTo: payTo?.toLowerCase(),
    price: amount,
    ...(flow && { flow }),
  };
}
