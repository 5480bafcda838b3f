import type { PricedTariff, Product, TariffChoice } from '@keyfare/core/metering';
import { formatMoney } from '@keyfare/core/money';

/** What a product costs, in decimals of US dollars and in units: both bounds are the same where nothing varies. */
export interface ProductSummary {
  readonly sku: string;
  readonly scope: string | undefined;
  readonly price: { readonly min: string; readonly max: string };
  readonly units: { readonly min: string; readonly max: string };
}

/** What a route sells, as documents show it. */
export interface TariffSummary {
  readonly products: readonly ProductSummary[];
  /** Over all products. */
  readonly price: { readonly min: string; readonly max: string };
  /** How a request chooses among them; undefined where it does not, or where a function chooses. */
  readonly choice: TariffChoice | undefined;
}

/** The declared side of a tariff, for those who describe it to callers. */
export function summarizeTariff({ products, choice }: PricedTariff): TariffSummary {
  const least = products.map(({ price }) => price.min).reduce((a, b) => (b.atomic < a.atomic ? b : a));
  const most = products.map(({ price }) => price.max).reduce((a, b) => (b.atomic > a.atomic ? b : a));
  return {
    products: products.map(summarizeProduct),
    price: { min: formatMoney(least), max: formatMoney(most) },
    choice,
  };
}

function summarizeProduct({ sku, scope, price, units }: Product): ProductSummary {
  return {
    sku,
    scope,
    price: { min: formatMoney(price.min), max: formatMoney(price.max) },
    units: { min: units.min.toString(), max: units.max.toString() },
  };
}
