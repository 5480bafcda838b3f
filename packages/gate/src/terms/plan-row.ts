import type { Overage, PlanTerms } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';

/** A plan's columns, of `plan p`. */
export const planColumns = `p.id as plan_id, p.slug, p.version as plan_version, p.included_units, p.overage,
  p.overage_price, p.monthly_price`;

export interface PlanRow {
  readonly plan_id: string;
  readonly slug: string;
  readonly plan_version: number;
  readonly included_units: string;
  readonly overage: Overage;
  readonly overage_price: string;
  readonly monthly_price: string;
}

/** A plan's row as the terms that the gate works with. */
export function termsOf(row: PlanRow): PlanTerms {
  return {
    planId: row.plan_id,
    slug: row.slug,
    version: row.plan_version,
    includedUnits: BigInt(row.included_units),
    overage: row.overage,
    overagePrice: money('USD', BigInt(row.overage_price)),
    monthlyPrice: money('USD', BigInt(row.monthly_price)),
  };
}
