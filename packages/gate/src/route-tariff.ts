import { type PricedTariff, type Tariff } from '@keyfare/core/metering';
import { parsePrice } from '@keyfare/core/money';
import { applyDecorators, SetMetadata } from '@nestjs/common';

const tariffKey = 'keyfare:tariff';
const skuShape = /^[a-z0-9][a-z0-9._:-]{0,63}$/;

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
}

/** The route is sold: by key against the account's plan, by wallet at this price. Throws at boot on a bad price. */
export function Priced({ sku, price, units = 1, scope }: PricedOptions): MethodDecorator {
  if (!skuShape.test(sku)) throw new TypeError(`@Priced: "${sku}" is not a sku`);
  if (!Number.isSafeInteger(units) || units < 1) throw new TypeError(`@Priced: ${sku} needs whole units, at least 1`);
  const amount = parsePrice(price);
  if (amount.atomic === 0n) throw new TypeError(`@Priced: ${sku} costs nothing; say @Free()`);
  const tariff: PricedTariff = { kind: 'priced', sku, price: amount, units: BigInt(units), scope: scope ?? sku };
  return applyDecorators(SetMetadata(tariffKey, Object.freeze(tariff)));
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
