/** Opens an account's month, once. */
export const openAllowance = `
  insert into keyfare.allowance (account_id, period_start, limit_units) values ($1, $2, $3)
  on conflict (account_id, period_start) do nothing`;

/**
 * Leases a block: at least what calls are waiting for, at most an eighth of what is left, so that near the limit
 * nobody sits on units that another process needs. One statement; the allowance's row lock orders those who ask.
 */
export const leaseUnits = `
  with allowance as materialized (
    select limit_units - used - leased as remaining, leased from keyfare.allowance
    where account_id = $2 and period_start = $3 for update),
  grant_ as materialized (
    select greatest(0, least(remaining, greatest($4::bigint, least($5::bigint, remaining / 8)))) as units, leased
    from allowance),
  taken as (
    update keyfare.allowance a set leased = a.leased + g.units from grant_ g
    where a.account_id = $2 and a.period_start = $3 and g.units > 0),
  held as (
    insert into keyfare.lease (replica_id, account_id, period_start, outstanding)
    select $1, $2, $3, units from grant_ where units > 0
    on conflict (replica_id, account_id, period_start)
    do update set outstanding = lease.outstanding + excluded.outstanding)
  select g.units, g.leased > coalesce((
    select outstanding from keyfare.lease where replica_id = $1 and account_id = $2 and period_start = $3), 0)
    as others_hold
  from grant_ g`;

/** Gives idle units back. The allowance is locked before the lease, as everywhere. */
export const returnUnits = `
  with allowance as materialized (
    select 1 from keyfare.allowance where account_id = $2 and period_start = $3 for update),
  given as (
    update keyfare.lease l set outstanding = l.outstanding - $4::bigint from allowance
    where l.replica_id = $1 and l.account_id = $2 and l.period_start = $3 and l.outstanding >= $4::bigint
    returning 1)
  update keyfare.allowance a set leased = a.leased - $4::bigint from given
  where a.account_id = $2 and a.period_start = $3`;

/** Takes back what dead processes held. */
export const returnLeasesOfDead = `
  with dead as materialized (
    select account_id, period_start, sum(outstanding) as units from keyfare.lease
    where replica_id = any($1::uuid[]) group by account_id, period_start),
  locked as materialized (
    select a.account_id, a.period_start from keyfare.allowance a join dead d using (account_id, period_start)
    order by a.account_id, a.period_start for update of a),
  ended as (
    delete from keyfare.lease l using locked
    where l.replica_id = any($1::uuid[]) and l.account_id = locked.account_id and l.period_start = locked.period_start
    returning 1)
  update keyfare.allowance a set leased = a.leased - d.units from dead d join locked using (account_id, period_start)
  where a.account_id = d.account_id and a.period_start = d.period_start`;

/** Applies changed terms to the running month; what was used or is held already stays within the limit. */
export const changeLimit = `
  update keyfare.allowance
  set limit_units = case when $3::bigint is null then null else greatest($3::bigint, used + leased) end
  where account_id = $1 and period_start = $2`;
