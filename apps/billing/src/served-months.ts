import { hasOwnPeriods } from './billing-periods.js';

/**
 * Common table expressions about the time for which an account has terms, which its invoices are drawn up for.
 * `contract`: each account's terms with the time in which they hold, `[since, until)`, null for no end. `ended`: the
 * accounts whose last terms have an end that the log has been read past, and that end. `served`: each account's periods
 * in which some of its terms hold, up to that of `upTo`, an expression; `priced`: one of them has a price.
 */
export function servedMonths(upTo: string): string {
  return `
  contract as (
    select account, effective_at as since, monthly_price,
      -- The smaller of the two; a null of either is none.
      least(lead(effective_at) over terms, ends_at) as until
    from billing.terms window terms as (partition by account order by revision, effective_at, place)),
  ended as (
    select account, ends_at from (
      select distinct on (account) account, ends_at from billing.terms
      order by account, revision desc, effective_at desc, place desc) as newest
    where ends_at <= (select complete_as_of from billing.feed_cursor where feed = 'api')),
  served as (
    select account, bool_or(priced) as priced, period_start from (
      select account, monthly_price > 0 as priced, generate_series(date_trunc('month', since at time zone 'utc'),
        least(until - interval '1 microsecond', ${upTo}) at time zone 'utc', interval '1 month') at time zone 'utc' as period_start
      from contract where (until is null or since < until) and not ${hasOwnPeriods('account')}
      union all
      select c.account, c.monthly_price > 0, p.period_start
      from contract c cross join lateral billing.periods_of(
        c.account, c.since, least(c.until - interval '1 microsecond', ${upTo})) as p
      where (c.until is null or c.since < c.until) and c.since <= ${upTo} and ${hasOwnPeriods('c.account')}
    ) as month group by account, period_start)`;
}
