import type { Check } from './check.js';

/** The API's own count, all of it of one moment. */
export interface MeterCount {
  /** A PostgreSQL snapshot of the API's database. */
  readonly snapshot: string;
  readonly rows: readonly { readonly account: string; readonly periodStart: Date; readonly used: bigint }[];
}

/**
 * The API's count of each account's month against the usage that came with the entries. The count was taken in one
 * snapshot, and the entries that are added up are those of the very same snapshot: calls that go on meanwhile make no
 * difference. Every entry of the snapshot must have been read before.
 */
export function checkMeter({ snapshot, rows }: MeterCount): Check {
  return {
    classes: ['meter-mismatch'],
    text: `
      with metered as (
        select * from unnest($3::text[], $4::timestamptz[], $5::numeric[]) as t (account, period_start, used)),
      counted as (
        select usage_account as account, usage_period_start as period_start, sum(usage_units) as units
        from billing.entry
        where usage_rail = 'key' and usage_account is not null and usage_period_start is not null
          and pg_visible_in_snapshot(tx::text::xid8, $6::text::pg_snapshot)
        group by 1, 2)
      select 'meter-mismatch' as class, account || ' ' || to_char(period_start at time zone 'utc', 'YYYY-MM') as subject,
        jsonb_build_object('account', account,
          'month', to_char(period_start at time zone 'utc', 'YYYY-MM')) as keys,
        null::text as asset, null::numeric as amount, 'usage' as side,
        -- The difference alone: the two counts grow with every call, and a resolved difference stays what it was.
        format('The API counts %s units %s than the entries come to.', abs(coalesce(used, 0) - coalesce(units, 0)),
          case when coalesce(used, 0) > coalesce(units, 0) then 'more' else 'fewer' end) as detail
      from metered full join counted using (account, period_start)
      where coalesce(used, 0) <> coalesce(units, 0)`,
    values: [
      rows.map(({ account }) => account),
      rows.map(({ periodStart }) => periodStart.toISOString()),
      rows.map(({ used }) => used.toString()),
      snapshot,
    ],
  };
}
