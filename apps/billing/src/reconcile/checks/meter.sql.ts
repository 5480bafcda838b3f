import type { AccountsMoment, MeterRow } from '../../accounts-reading.js';
import type { Check } from './check.js';

/**
 * The API's count of each account's month against the usage that came with the entries. What is counted lags behind
 * what is posted by what open leases have used: used ≤ posted ≤ used + leased, and used = posted when no lease is open.
 * Without a limit a lease holds nothing that bounds its use. The entries that are certainly in the reading must not
 * come to more than the count and its leases, and those that may be in it not to less than the count: so calls that go
 * on meanwhile make no difference. Every entry that was committed before the reading must have been read.
 */
export function checkMeter({ place, readAt }: AccountsMoment, rows: readonly MeterRow[]): Check {
  return {
    name: 'meter',
    classes: ['meter-mismatch'],
    text: `
      with metered as (
        select * from unnest($3::text[], $4::timestamptz[], $5::numeric[], $6::numeric[]) as t (account, period_start, used,
          most)),
      counted as (
        select usage_account as account, usage_period_start as period_start,
          coalesce(sum(usage_units) filter (where place <= $7::bigint), 0) as certain,
          coalesce(sum(usage_units) filter (where place <= $7::bigint
            or recorded_at <= to_timestamp($8::numeric / 1000000)), 0) as possible
        from billing.entry
        where usage_rail = 'key' and usage_account is not null and usage_period_start is not null
        group by 1, 2),
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
