/**
 * The meter's part of a post, as common table expressions over `item` (the calls) and `added` (the ids among them that
 * are new): usage rows, then the counters. A lease that is gone aborts the statement with KF001, so that units taken
 * back from a process believed dead are never spent twice. Units without a lease were admitted when no limit held: where
 * one holds now, they may go beyond it, and nothing else may.
 */
export const meterUsage = `
  metered as (
    insert into keyfare.usage (id, rail, account_id, payer, key_id, sku, units, period_start, occurred_at)
    select id, rail, account_id, payer, key_id, sku, units, period_start, occurred_at from item join added using (id))`;

export const meterCounters = (replicaId: string): string => `
  spent as materialized (
    select account_id, period_start, sum(units) as units, coalesce(sum(units) filter (where leased), 0) as leased_units
    from item join added using (id) group by account_id, period_start),
  locked as materialized (
    select a.account_id, a.period_start from keyfare.allowance a join spent using (account_id, period_start)
    order by a.account_id, a.period_start for update of a),
  counted as (
    update keyfare.allowance a
    set used = a.used + s.units, leased = a.leased - s.leased_units,
      over_units = case when a.limit_units is null then 0
        else greatest(a.over_units, least(a.over_units + s.units - s.leased_units,
          a.used + s.units + a.leased - s.leased_units - a.limit_units)) end
    from spent s join locked using (account_id, period_start)
    where a.account_id = s.account_id and a.period_start = s.period_start
    returning 1),
  released as (
    update keyfare.lease l set outstanding = l.outstanding - s.leased_units
    from spent s join locked using (account_id, period_start)
    where s.leased_units > 0 and l.replica_id = ${replicaId}
      and l.account_id = s.account_id and l.period_start = s.period_start
    returning 1)`;

/** True, or the end of the statement. */
export const meterCheck = `
  case when (select count(*) from counted) < (select count(*) from spent)
      or (select count(*) from released) < (select count(*) from spent where leased_units > 0)
    then keyfare.refuse('KF001', 'a lease or allowance is gone') else true end`;

/** SQLSTATEs of a post whose lease was taken back: our own, and the table's check on `outstanding`. */
export const leaseLostStates: ReadonlySet<string> = new Set(['KF001', '23514']);
