import { formatMonth, type Period } from '@keyfare/core/time';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { formatAtomic } from '../export/decimal.js';
import type { Part, Table } from './table.js';

/** A caller in a month, and for a wallet that pays in USDC the plan that would have cost it least. */
export const callerRow = z.object({
  segment: z.enum(['account', 'wallet', 'free']),
  caller: z.string(),
  calls: z.string(),
  units: z.string(),
  asset: z.string(),
  spent: z.string(),
  /** Null where no plan would have been cheaper. */
  cheaperPlan: z.string().nullable(),
  planCost: z.string().nullable(),
  saving: z.string().nullable(),
});

interface CallerRow {
  readonly segment: 'account' | 'wallet' | 'free';
  readonly caller: string;
  readonly calls: string;
  readonly units: string;
  readonly asset: string;
  readonly spent: string;
  readonly plan: string | null;
  readonly cost: string | null;
}

/**
 * Who called, by how they pay. A plan's cost is its monthly price and each unit beyond the included ones at its price:
 * a dollar is taken for one USDC, as prices of calls are. A plan that refuses calls beyond its units counts only where
 * all of them fit, and one whose further calls are paid by x402 likewise.
 */
export function callersTable(period: Period): Table<CallerRow, z.infer<typeof callerRow>> {
  return {
    name: `callers-${formatMonth(period)}`,
    columns: Object.keys(callerRow.shape) as (keyof z.infer<typeof callerRow>)[],
    amounts: ['spent', 'planCost', 'saving'],
    statement: callersStatement(period, { after: null, limit: null }),
    part: (part) => callersStatement(period, part),
    order: [
      { column: 'segment', kind: 'text' },
      { column: 'caller', kind: 'text' },
      { column: 'asset', kind: 'text' },
    ],
    view: (row) => ({
      segment: row.segment,
      caller: row.caller,
      calls: row.calls,
      units: row.units,
      asset: row.asset,
      spent: formatAtomic(BigInt(row.spent), 6),
      cheaperPlan: row.plan,
      planCost: row.cost === null ? null : formatAtomic(BigInt(row.cost), 6),
      saving: row.cost === null ? null : formatAtomic(BigInt(row.spent) - BigInt(row.cost), 6),
    }),
  };
}

// In the order of their names.
const segments = [
  ['account', 'key'],
  ['free', 'free'],
  ['wallet', 'x402'],
] as const;

/** Of each segment the first `limit` callers of those after `after`; all of them without. */
function callersStatement(
  { start, end }: Period,
  { after, limit }: { readonly after: Part['after']; readonly limit: number | null },
): Statement {
  const [segment = '', caller = '', asset = ''] = after ?? [];
  const later = segments.filter(([name]) => name >= segment);
  const parts = later.length > 0 ? later : segments;
  const summed = parts.map(
    ([name, rail]) => `(
      select '${name}' as segment, customer as caller, asset, sum(calls) as calls, sum(units) as units,
        sum(amount) as spent
      from billing.charge_day
      where period_start = $1 and rail = '${rail}' ${name === segment ? 'and (customer, asset) > ($4, $5)' : ''}
      group by customer, asset order by customer, asset limit $3::integer)`,
  );
  return {
    text: callersText(summed.join(' union all ')),
    values: [start, end, limit, ...(parts[0]?.[0] === segment ? [caller, asset] : [])],
  };
}

// Plans are read once, and not again for each caller.
const callersText = (callers: string): string => `
  with plan as materialized (
    select distinct on (plan_id) plan_slug, included_units, overage, overage_price, monthly_price
    from billing.terms where effective_at < $2 order by plan_id, plan_version desc, place desc)
  select c.segment, c.caller, c.calls::text, c.units::text, c.asset, c.spent::text, p.plan_slug as plan,
    p.cost::text as cost
  from (${callers}) as c left join lateral (
    select plan_slug, monthly_price + greatest(c.units - included_units, 0) * overage_price as cost
    from plan
    where c.segment = 'wallet' and c.asset = 'USDC' and (overage = 'invoice' or c.units <= included_units)
      and monthly_price + greatest(c.units - included_units, 0) * overage_price < c.spent
    order by 2, 1 limit 1) p on true`;
