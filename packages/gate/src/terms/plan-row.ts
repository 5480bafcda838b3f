import type { Overage, PlanTerms } from '@keyfare/core/metering';
import { type Money, money } from '@keyfare/core/money';

/** A plan's columns, of `plan p`. */
export const planColumns = `p.id as plan_id, p.slug, p.version as plan_version, p.included_units, p.overage,
  p.overage_price, p.overage_is_priced, p.monthly_price`;

export interface PlanRow {
  readonly plan_id: string;
  readonly slug: string;
  readonly plan_version: number;
  readonly included_units: string;
  readonly overage: Overage;
  readonly overage_price: string;
  readonly overage_is_priced: boolean;
  readonly monthly_price: string;
}

/** For a unit beyond the included ones; null where none was set: before `overage_is_priced` a zero said that, too. */
function overagePriceOf({ overage, overage_price, overage_is_priced }: PlanRow): Money | null {
  const price = BigInt(overage_price);
  return overage_is_priced || price > 0n || overage === 'invoice' ? money('USD', price) : null;
}

/** A plan's row as the terms that the gate works with. */
export function termsOf(row: PlanRow): PlanTerms {
  return {
    planId: row.plan_id,
    slug: row.slug,
    version: row.plan_version,
    includedUnits: BigInt(row.included_units),
    overage: row.overage,
    overagePrice: overagePriceOf(row),
    monthlyPrice: money('USD', BigInt(row.monthly_price)),
  };
}
