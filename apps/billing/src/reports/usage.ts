import type { Rail } from '@keyfare/core/metering';
import { type AssetCode, assetCodes, formatMoney, money } from '@keyfare/core/money';
import { monthOf, type Period } from '@keyfare/core/time';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { movedCharges } from '../billed-charges.js';
import { type FocusRow, type FocusView, focusColumns, focusView } from '../export/focus.js';
import { type Part, partOf, type Table } from './table.js';

/** What calls of one product by one customer came to on a day. */
export const dailyRevenueRow = z.object({
  day: z.string(),
  rail: z.enum(['key', 'x402', 'free']),
  product: z.string(),
  customer: z.string(),
  calls: z.string(),
  units: z.string(),
  asset: z.enum(assetCodes),
  amount: z.string(),
});

interface DailyRow {
  readonly day: string;
  readonly rail: Rail;
  readonly sku: string;
  readonly customer: string;
  readonly calls: string;
  readonly units: string;
  readonly asset: AssetCode;
  readonly amount: string;
}

/** Revenue from calls by the day of the call, in UTC. */
export function dailyRevenueTable(period: Period): Table<DailyRow, z.infer<typeof dailyRevenueRow>> {
  return {
    name: `daily-revenue-${period.start.toISOString().slice(0, 10)}`,
    columns: Object.keys(dailyRevenueRow.shape) as (keyof z.infer<typeof dailyRevenueRow>)[],
    amounts: ['amount'],
    statement: dailyStatement(period),
    part: (part) => dailyStatement(period, part),
    order: [
      { column: 'at_day', kind: 'day' },
      { column: 'rail', kind: 'text' },
      { column: 'sku', kind: 'text' },
      { column: 'customer', kind: 'text' },
      { column: 'account', kind: 'text' },
      { column: 'asset', kind: 'text' },
    ],
    view: (row) => ({
      day: row.day,
      rail: row.rail,
      product: row.sku,
      customer: row.customer,
      calls: row.calls,
      units: row.units,
      asset: row.asset,
      amount: formatMoney(money(row.asset, BigInt(row.amount))),
    }),
  };
}

/** What calls of one product by one account came to on a day. */
export const accountUsageRow = z.object({
  day: z.string(),
  rail: z.enum(['key', 'x402']),
  product: z.string(),
  calls: z.string(),
  units: z.string(),
  /** Of the units, by key: those that the plan includes, and those beyond it. */
  included: z.string(),
  overage: z.string(),
  asset: z.enum(assetCodes),
  amount: z.string(),
});

interface AccountUsageRow extends Omit<DailyRow, 'customer'> {
  readonly included: string;
  readonly overage: string;
}

/** SQL for the sums of an account, `$1`, on either rail, of the days of the months that begin at `$2`. */
export const daysOf = `(
    select day, rail, sku, asset, calls, units, included, overage, amount from billing.charge_day
    where period_start = any($2::timestamptz[]) and rail in ('key', 'x402') and customer = $1 and account = $1)`;

/** The usage of one account by the day of the call, in UTC. */
export function accountUsageTable(
  account: string,
  { start, end }: Period,
): Table<AccountUsageRow, z.infer<typeof accountUsageRow>> {
  return {
    name: `usage-${start.toISOString().slice(0, 10)}`,
    columns: Object.keys(accountUsageRow.shape) as (keyof z.infer<typeof accountUsageRow>)[],
    amounts: ['amount'],
    statement: {
      text: `
        select day::text as day, rail, sku, asset, sum(calls)::text as calls, sum(units)::text as units,
          sum(included)::text as included, sum(overage)::text as overage, sum(amount)::text as amount
        from ${daysOf} d
        where day >= ($3::timestamptz at time zone 'UTC')::date and day < ($4::timestamptz at time zone 'UTC')::date
        group by day, rail, sku, asset`,
      values: [account, monthsOf({ start, end }), start, end],
    },
    order: [
      { column: 'day', kind: 'text' },
      { column: 'rail', kind: 'text' },
      { column: 'sku', kind: 'text' },
      { column: 'asset', kind: 'text' },
    ],
    view: ({ day, rail, sku: product, calls, units, included, overage, asset, amount }) => ({
      day,
      rail: rail === 'x402' ? 'x402' : 'key',
      product,
      calls,
      units,
      included,
      overage,
      asset,
      amount: formatMoney(money(asset, BigInt(amount))),
    }),
  };
}

/** The starts of the months that a time is in. */
function monthsOf({ start, end }: Period): readonly Date[] {
  const months: Date[] = [];
  for (let month = monthOf(start); month.start < end; month = monthOf(month.end)) months.push(month.start);
  return months;
}

function dailyStatement({ start, end }: Period, part?: Part): Statement {
  const { where, limit, values } = partOf(part, { keys: 'day, rail, sku, customer, account, asset', first: 3 });
  return {
    text: `
      select at_day, at_day::text as day, rail, sku, customer, account, asset, calls::text, units::text, amount::text
      from (
        select day as at_day, rail, sku, customer, account, asset, sum(calls) as calls, sum(units) as units,
          sum(amount) as amount
        from billing.charge_day
        where day >= ($1::timestamptz at time zone 'UTC')::date and day < ($2::timestamptz at time zone 'UTC')::date
          ${where}
        group by day, rail, sku, customer, account, asset ${limit}) as summed`,
    values: [start, end, ...values],
  };
}

interface FocusOptions {
  readonly period: Period;
  readonly provider: string;
  /** Leaves the lines of a draft out, which is nobody's but the operators'. */
  readonly isIssued?: boolean;
}

/**
 * The usage of one account in the periods that begin in a month, as FOCUS 1.2 has it: by day, product and price, and
 * what else is on its invoices, from the plan's price to what was paid before. Calls that came too late for the invoice
 * of their own period are with that which they are on, by their own day.
 */
export function focusTable(
  account: string,
  { period, provider, isIssued = false }: FocusOptions,
): Table<FocusRow, FocusView> {
  return {
    name: `focus-${period.start.toISOString().slice(0, 7)}`,
    columns: focusColumns,
    amounts: ['BilledCost', 'ContractedCost', 'EffectiveCost', 'ListCost'],
    statement: { text: focusText, values: [account, period.start, period.end, isIssued, reachOf(period)] },
    order: [
      { column: 'starts', kind: 'time' },
      { column: 'kind', kind: 'text' },
      { column: 'sku', kind: 'text' },
      { column: 'unit_price', kind: 'text' },
      { column: 'line', kind: 'text' },
    ],
    view: (row) => focusView(row, { provider }),
  };
}

/** The months in UTC that calls of periods which begin in a month may be in. */
function reachOf({ start, end }: Period): readonly Date[] {
  return monthsOf({ start: new Date(start.getTime() - 1), end: new Date(monthOf(end).end.getTime()) });
}

const focusText = `
  with named as (
    select account_name from billing.terms where account = $1 order by revision desc, effective_at desc, place desc
    limit 1),
  period as materialized (
    select period_start, period_end
    from billing.periods_of($1, $2::timestamptz - interval '1 day', $3::timestamptz + interval '1 day')
    where date_trunc('month', period_start at time zone time_zone) = $2::timestamptz at time zone 'utc'),
  invoice as (
    select id, number, account_name, period_start, period_end from billing.invoice
    where account = $1 and period_start in (select period_start from period) and state <> 'void'
      and not (state = 'draft' and $4)),
  ${movedCharges('$1')},
  late as (
    select used_in, month, (occurred_at at time zone 'UTC')::date as day, sku, unit_price, included, overage, amount
    from moved),
  used as (
    select d.billed_in as used_in, d.billed_in as month, d.day, d.sku, d.unit_price, d.included, d.overage, d.amount
    from billing.charge_day d
    where d.billed_in in (select period_start from period) and d.period_start = any($5::timestamptz[]) and d.rail = 'key'
      and d.customer = $1
    union all
    select used_in, used_in, day, sku, unit_price, -included, -overage, -amount from late
    union all
    select used_in, month, day, sku, unit_price, included, overage, amount from late),
  days as (
    select p.period_start, p.period_end, w.starts, w.ends, u.sku, u.unit_price, sum(u.included) as included,
      sum(u.overage) as overage, sum(u.amount) as amount
    from period p join used u on u.month = p.period_start
    cross join lateral (
      select u.day::timestamp at time zone 'UTC' as starts, (u.day + 1)::timestamp at time zone 'UTC' as ends) as d
    -- A day in UTC may be cut by the period. What came late for an earlier one is of its own day.
    cross join lateral (
      select case when u.used_in = p.period_start then greatest(d.starts, p.period_start) else d.starts end as starts,
        case when u.used_in = p.period_start then least(d.ends, p.period_end) else d.ends end as ends) as w
    group by p.period_start, p.period_end, w.starts, w.ends, u.sku, u.unit_price)
  select $1::text as account, coalesce((select account_name from named), $1) as account_name, part.kind, d.period_start,
    d.period_end, d.starts, d.ends, d.sku, d.sku || ', ' || part.kind as description,
    part.quantity::text as quantity, part.price::text as unit_price, part.amount::text as amount,
    (select number from invoice i where i.period_start = d.period_start) as invoice, '' as line
  from days d, lateral (values
    ('included', d.included, 0::numeric, 0::numeric),
    ('overage', d.overage, d.unit_price, d.amount)) as part (kind, quantity, price, amount)
  where part.quantity > 0
  union all
  select $1, i.account_name, l.kind, i.period_start, i.period_end, i.period_start, i.period_end,
    case when l.kind in ('plan', 'commit') then l.kind else '' end, l.description, l.quantity::text, l.unit_price::text,
    l.amount::text, i.number, lpad(l.line::text, 10, '0')
  from invoice i join billing.invoice_line l on l.invoice_id = i.id and l.kind not in ('included', 'overage')`;
