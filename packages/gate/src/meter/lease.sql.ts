/** The hard limit of a plan `p`: none where it bills what goes beyond. */
const planLimit = `case p.overage when 'invoice' then null else p.included_units end`;

/**
 * How far what was admitted goes beyond the limit: nowhere, but after a change to smaller terms. `counted` is what will
 * be used and leased.
 */
const overUnits = (counted: string): string =>
  `case when a.limit_units is null then 0 else greatest(0, ${counted} - a.limit_units) end`;

/** Before a month is opened: a change of the account's plan that is under way is waited for, and none can begin. */
export const lockAccount = 'select 1 from keyfare.account where id = $1 for share';

/** Opens an account's month, once, with the limit of the plan that the account has. */
export const openAllowance = `
  insert into keyfare.allowance (account_id, period_start, limit_units)
  select c.id, $2, ${planLimit} from keyfare.account c join keyfare.plan p on p.id = c.plan_id where c.id = $1
  on conflict (account_id, period_start) do nothing`;

/**
 * Leases a block: at least what calls are waiting for, at most an eighth of what is left, so that near the limit
 * nobody sits on units that another process needs. One statement; the allowance's row lock orders those who ask.
 */
export const leaseUnits = `
  with allowance as materialized (
    select limit_units - used - leased as remaining, coalesce(limit_units - used, 9223372036854775807) as unused, leased
    from keyfare.allowance where account_id = $2 and period_start = $3 for update),
  grant_ as materialized (
    select greatest(0, least(remaining, greatest($4::bigint, least($5::bigint, remaining / 8)))) as units, unused,
      leased
    from allowance),
  taken as (
    update keyfare.allowance a set leased = a.leased + g.units from grant_ g
    where a.account_id = $2 and a.period_start = $3 and g.units > 0),
  held as (
    insert into keyfare.lease (replica_id, account_id, period_start, outstanding)
    select $1, $2, $3, units from grant_ where units > 0
    on conflict (replica_id, account_id, period_start)
    do update set outstanding = lease.outstanding + excluded.outstanding)
  select g.units, g.unused, g.leased > coalesce((
    select outstanding from keyfare.lease where replica_id = $1 and account_id = $2 and period_start = $3), 0)
    as others_hold
  from grant_ g`;

/**
 * Gives back all of a lease but what calls hold of it ($4). Said so, and not as a number to give back, it may be done
 * again when its outcome was lost, and it finds units that the process lost sight of. Calls that are posted meanwhile
 * make it give back less, never more. The allowance is locked before the lease, as everywhere.
 */
export const returnUnits = `
  with allowance as materialized (
    select 1 from keyfare.allowance where account_id = $2 and period_start = $3 for update),
  lease as materialized (
    select l.outstanding from keyfare.lease l, allowance
    where l.replica_id = $1 and l.account_id = $2 and l.period_start = $3 for update of l),
  kept as (
    update keyfare.lease l set outstanding = $4::bigint from lease
    where l.replica_id = $1 and l.account_id = $2 and l.period_start = $3
      and $4::bigint > 0 and lease.outstanding > $4::bigint),
  ended as (
    delete from keyfare.lease l using lease
    where l.replica_id = $1 and l.account_id = $2 and l.period_start = $3 and $4::bigint = 0)
  update keyfare.allowance a
  set leased = a.leased - (lease.outstanding - $4::bigint),
    over_units = ${overUnits('a.used + a.leased - (lease.outstanding - $4::bigint)')}
  from lease where a.account_id = $2 and a.period_start = $3 and lease.outstanding > $4::bigint`;

/** Takes back whole leases; `which` says whose, of `l`. What a lease has is read when its allowance is locked. */
const returnLeases = (which: string): string => `
  with found as materialized (
    select distinct l.account_id, l.period_start from keyfare.lease l where ${which}),
  locked as materialized (
    select a.account_id, a.period_start from keyfare.allowance a join found using (account_id, period_start)
    order by a.account_id, a.period_start for update of a),
  ended as (
    delete from keyfare.lease l using locked
    where l.account_id = locked.account_id and l.period_start = locked.period_start and (${which})
    returning l.account_id, l.period_start, l.outstanding),
  given as (
    select account_id, period_start, sum(outstanding) as units from ended group by account_id, period_start)
  update keyfare.allowance a
  set leased = a.leased - g.units, over_units = ${overUnits('a.used + a.leased - g.units')}
  from given g where a.account_id = g.account_id and a.period_start = g.period_start`;

/** All that one process leased. */
export const returnLeasesOfReplica = returnLeases('l.replica_id = $1::uuid');

/** All that nobody holds: the leases of processes that are not, or no longer, among the living. */
export const returnOrphanedLeases = returnLeases(
  'not exists (select 1 from keyfare.replica r where r.id = l.replica_id)',
);

/**
 * Applies the terms that the account now has to the running month, and to a later one that was opened meanwhile. What
 * was used or is held already was admitted under the old terms and stays.
 */
export const changeLimit = `
  with terms as materialized (
    select ${planLimit} as limit_units
    from keyfare.account c join keyfare.plan p on p.id = c.plan_id where c.id = $1)
  update keyfare.allowance a
  set limit_units = terms.limit_units,
    over_units = case when terms.limit_units is null then 0
      else greatest(0, a.used + a.leased - terms.limit_units) end
  from terms where a.account_id = $1 and a.period_start >= $2`;
