import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { formatAtomic } from '../export/decimal.js';
import type { Table } from './table.js';
import { daysOf } from './usage.js';

/** What an account's month would have cost on a plan, in dollars. */
export const planComparisonRow = z.object({
  plan: z.string(),
  version: z.string(),
  /** `current` for the terms that held at the end of the month, `newest` for the last version of any other plan. */
  standing: z.enum(['current', 'newest']),
  units: z.string(),
  included: z.string(),
  /** Units that do not fit, and what becomes of them: they are refused, invoiced, or paid by a wallet at once. */
  beyond: z.string(),
  beyondIs: z.enum(['refused', 'invoiced', 'paid-by-wallet']),
  monthlyPrice: z.string(),
  overagePrice: z.string(),
  overage: z.string(),
  total: z.string(),
  /** Less (below zero) or more than on the current plan; null where the account had none. */
  difference: z.string().nullable(),
});

interface ComparisonRow {
  readonly plan: string;
  readonly version: string;
  readonly is_current: boolean;
  readonly units: string;
  readonly included: string;
  readonly beyond: string;
  readonly overage_kind: 'reject' | 'invoice' | 'x402';
  readonly monthly_price: string;
  readonly overage_price: string;
  readonly overage: string;
  readonly total: string;
  readonly current_total: string | null;
}

const fates = { reject: 'refused', invoice: 'invoiced', x402: 'paid-by-wallet' } as const;

/**
 * The month's real usage, on either rail, against every plan that somebody had agreed to by the end of the month: its
 * newest version, and the account's own terms. A plan counts with the whole of its monthly price. What a plan refuses
 * costs nothing, and is told in `beyond`; a dollar is taken for a unit of the token that a wallet would have paid in.
 * What a contract agreed besides, such as prices of its own, is not part of it.
 */
export function planComparisonTable(
  account: string,
  period: Period,
): Table<ComparisonRow, z.infer<typeof planComparisonRow>> {
  return {
    name: `plan-comparison-${formatMonth(period)}`,
    columns: Object.keys(planComparisonRow.shape) as (keyof z.infer<typeof planComparisonRow>)[],
    amounts: ['monthlyPrice', 'overagePrice', 'overage', 'total', 'difference'],
    statement: { text: comparisonText, values: [account, [period.start], period.end] },
    order: [
      { column: 'rank', kind: 'text' },
      { column: 'plan', kind: 'text' },
      { column: 'version', kind: 'text' },
    ],
    view: (row) => ({
      plan: row.plan,
      version: row.version,
      standing: row.is_current ? 'current' : 'newest',
      units: row.units,
      included: row.included,
      beyond: row.beyond,
      beyondIs: fates[row.overage_kind],
      monthlyPrice: dollars(row.monthly_price),
      overagePrice: dollars(row.overage_price),
      overage: dollars(row.overage),
      total: dollars(row.total),
      difference: row.current_total === null ? null : formatAtomic(BigInt(row.total) - BigInt(row.current_total), 6),
    }),
  };
}

function dollars(micro: string): string {
  return formatAtomic(BigInt(micro), 6);
}

const comparisonText = `
  with used as (select coalesce(sum(units), 0) as units from ${daysOf} d),
  own as (
    select plan_slug, plan_version, included_units, overage, overage_price, monthly_price from billing.terms
    where account = $1 and effective_at < $3 order by revision desc, effective_at desc, place desc limit 1),
  newest as (
    select distinct on (plan_slug) plan_slug, plan_version, included_units, overage, overage_price, monthly_price
    from billing.terms where effective_at < $3 order by plan_slug, plan_version desc, place desc),
  plan as (
    select *, true as is_current from own
    union all
    select n.*, false from newest n
    where not exists (select 1 from own o where (o.plan_slug, o.plan_version) = (n.plan_slug, n.plan_version))),
  priced as (
    select p.*, u.units, greatest(u.units - included_units, 0) as beyond,
      case overage when 'reject' then 0 else greatest(u.units - included_units, 0) * overage_price end as extra
    from plan p cross join used u)
  select plan_slug as plan, plan_version::text as version, is_current, units::text, included_units::text as included,
    beyond::text, overage as overage_kind, monthly_price::text, overage_price::text, extra::text as overage,
    (monthly_price + extra)::text as total, (
      select (c.monthly_price + c.extra)::text from priced c where c.is_current) as current_total,
    case when is_current then '0' else '1' end || lpad((monthly_price + extra)::text, 40, '0') as rank
  from priced`;
