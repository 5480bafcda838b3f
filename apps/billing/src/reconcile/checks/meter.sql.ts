import type { Sql } from '@keyfare/db/sql';
import type { AccountsMoment, MeterRow } from '../../accounts-reading.js';
import type { Check } from './check.js';

/**
 * The API's count of each account's month against the usage that came with the entries. What is counted lags behind
 * what is posted by what open leases have used: used ≤ posted ≤ used + leased, and used = posted when no lease is open.
 * Without a limit a lease holds nothing that bounds its use. The entries that are certainly in the reading must not
 * come to more than the count and its leases, and those that may be in it not to less than the count: so calls that go
 * on meanwhile make no difference. Every entry that was committed before the reading must have been read. Where
 * `isWhole` all entries are added up; else the totals of the months by which calls are rated, with the refused entries.
 */
export function checkMeter(
  { place, readAt }: AccountsMoment,
  { rows, isWhole }: { readonly rows: readonly MeterRow[]; readonly isWhole: boolean },
): Check {
  return {
    name: meterName,
    classes: ['meter-mismatch'],
    text: `
      with metered as (
        select * from unnest($3::text[], $4::timestamptz[], $5::numeric[], $6::numeric[]) as t (account, period_start, used,
          most)),
      counted as (${isWhole ? countedEntries : countedTotals}),
      compared as (
        select account, period_start, greatest(coalesce(used, 0) - coalesce(possible, 0), 0) as surplus,
          greatest(coalesce(certain, 0) - case when used is null then 0 else most end, 0) as lack
        from metered full join counted using (account, period_start))
      select 'meter-mismatch' as class,
        account || ' ' || case when isfinite(period_start) then to_char(period_start at time zone 'utc', 'YYYY-MM')
          else period_start::text end as subject,
        jsonb_build_object('account', account, 'month',
          case when isfinite(period_start) then to_char(period_start at time zone 'utc', 'YYYY-MM')
            else period_start::text end) as keys,
        null::text as asset, null::numeric as amount, 'usage' as side,
        -- The difference alone: the two counts grow with every call, and a resolved difference stays what it was.
        format('The API counts %s units %s than the entries come to.', greatest(surplus, lack),
          case when surplus > 0 then 'more' else 'fewer' end) as detail
      from compared where surplus > 0 or lack > 0`,
    values: [
      rows.map(({ account }) => account),
      rows.map(({ periodStart }) => periodStart.toISOString()),
      rows.map(({ used }) => used.toString()),
      rows.map(mostOf),
      place.toString(),
      readAt.toString(),
    ],
  };
}

/** Up to how many units the entries may come to; null when nothing bounds them. */
function mostOf({ limit, used, leased, openLeases }: MeterRow): string | null {
  if (openLeases === 0) return used.toString();
  return limit === null ? null : (used + leased).toString();
}

const isPossible = `place <= $7::bigint or recorded_at <= to_timestamp($8::numeric / 1000000)`;

const countedEntries = `
        select usage_account as account, usage_period_start as period_start,
          coalesce(sum(usage_units) filter (where place <= $7::bigint), 0) as certain,
          coalesce(sum(usage_units) filter (where ${isPossible}), 0) as possible
        from billing.entry
        where usage_rail = 'key' and usage_account is not null and usage_period_start is not null
        group by 1, 2`;

/** A total is of all that was read: entries behind the place are taken away where they are not in the reading. */
const countedTotals = `
        select account, period_start, sum(units - case when certain then 0 else later end) as certain,
          sum(units - case when possible then 0 else later end) as possible
        from (
          select account, period_start, units, 0 as later, true as certain, true as possible from billing.period_total
          union all
          select usage_account, usage_period_start, case when fault is null then 0 else usage_units end, usage_units,
            place <= $7::bigint, ${isPossible}
          from billing.entry
          where usage_rail = 'key' and usage_account is not null and usage_period_start is not null
            and (fault is not null or place > $7::bigint)) as counted
        group by 1, 2`;

/** Whether all entries have to be added up: something was found there before. */
export async function needsEntries(tx: Sql): Promise<boolean> {
  const found = await tx.query({
    text: 'select from billing.break where present and check_name = any($1::text[]) limit 1',
    values: [[meterName, totalsName]],
  });
  return found.length > 0;
}

/** The totals of the months, by which the next call is rated, against the charges. */
export function checkTotals(): Check {
  return {
    name: totalsName,
    classes: ['ledger-mismatch'],
    text: `
      select 'ledger-mismatch' as class, concat_ws(' ', 'total:' || account, period_start) as subject,
        jsonb_build_object('account', account, 'month', to_char(period_start at time zone 'utc', 'YYYY-MM')) as keys,
        null::text as asset, null::numeric as amount, 'ledger' as side,
        'The total of the month, by which the next call is rated, is not what its charges come to.' as detail
      from billing.period_total t
      full join (
        select account, period_start, sum(units) as charged from billing.charge where rail = 'key'
        group by 1, 2) as c using (account, period_start)
      where t.units is distinct from c.charged`,
    values: [],
  };
}

const meterName = 'meter';
const totalsName = 'totals';
