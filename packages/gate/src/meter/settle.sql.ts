import { fencedState } from '../replica-id.js';

/**
 * How far what was admitted goes beyond the limit: nowhere, but after a change to smaller terms. `counted` is what will
 * be used and leased, under the limit `limit`.
 */
const overUnits = (counted: string, limit: string): string =>
  `case when ${limit} is null then 0 else greatest(0, ${counted} - ${limit}) end`;

/** Units of one lease that are given and not folded. */
const outstanding = (lease: string): string => `${lease}.granted - ${lease}.used`;

/** A call's handler and its post have ended long before this; what a sweep reads begins here at the latest. */
const longestPost = `interval '15 minutes'`;

/**
 * Settles leases: folds what was posted, gives back what is not kept, and grants what is wanted, for many at once. It
 * says absolute numbers (through post `post` my calls used `used`, and I keep `keep`), so it may be repeated when its
 * outcome was lost, and finds units that the process lost sight of. The allowance's row lock orders those who ask; it
 * is taken before the lease's, as everywhere. A process whose peers swept it is refused with KF001. KF003 refuses a
 * process that counts more than it was granted, which is a bug.
 *
 * A grant is at least what calls wait for and at most an eighth of what is left, so that near the limit nobody sits on
 * units that another process needs.
 */
export const settleLeases = `
  with alive as materialized (select 1 from keyfare.replica where id = $1::uuid for key share),
  item as materialized (
    select * from unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
      $8::bigint[], $9::bigint[], $10::boolean[])
    as t(account_id, period_start, turn, used, post, keep, beyond, wanted, open)),
  allowance as materialized (
    select a.account_id, a.period_start, a.limit_units, a.used, a.leased
    from keyfare.allowance a join item using (account_id, period_start) cross join alive
    order by a.account_id, a.period_start for update of a),
  held as materialized (
    select l.* from keyfare.lease l join allowance using (account_id, period_start)
    where l.replica_id = $1::uuid for update of l),
  next as materialized (
    select i.account_id, i.period_start, i.turn, i.open, i.wanted, l.replica_id is not null as is_stored,
      greatest(i.used, l.used) as used, greatest(i.post, l.post) as post, greatest(i.used + i.keep, l.used) as granted,
      i.beyond, coalesce(l.used, i.used) as used_before, coalesce(l.granted, i.used) as granted_before,
      a.limit_units, a.used as all_used, a.leased as all_leased
    from item i join allowance a using (account_id, period_start) left join held l using (account_id, period_start)
    where l.turn is null or l.turn < i.turn),
  counted as materialized (
    select *, all_used + used - used_before as total_used,
      all_leased + (granted - used) - (granted_before - used_before) as total_leased,
      case when granted - granted_before > beyond
        then keyfare.refuse('KF003', 'more units are used and kept than were granted') end as is_refused
    from next),
  given as materialized (
    select *, case when wanted = 0 then 0 else greatest(0, least(limit_units - total_used - total_leased,
      greatest(wanted, least($11::bigint, (limit_units - total_used - total_leased) / 8)))) end as units
    from counted),
  allowed as (
    update keyfare.allowance a
    set used = g.total_used, leased = g.total_leased + g.units,
      over_units = ${overUnits('g.total_used + g.total_leased', 'g.limit_units')}
    from given g where a.account_id = g.account_id and a.period_start = g.period_start),
  kept as (
    update keyfare.lease l
    set granted = g.granted + g.units, used = g.used, post = g.post, turn = g.turn, open = g.open,
      since = now() - ${longestPost}
    from given g
    where g.is_stored and l.replica_id = $1::uuid and l.account_id = g.account_id and l.period_start = g.period_start),
  begun as (
    insert into keyfare.lease (replica_id, account_id, period_start, granted, used, post, turn, open, since)
    select $1::uuid, account_id, period_start, granted + units, used, post, turn, open, now() - ${longestPost}
    from given where not is_stored)
  select g.account_id, g.period_start, g.units,
    coalesce(g.limit_units - g.total_used, 9223372036854775807) as unused,
    g.total_leased > g.granted - g.used as others_hold, g.is_refused as is_overdrawn,
    case when not exists (select 1 from alive)
      then keyfare.refuse('${fencedState}', 'this process was taken for dead') end as is_fenced
  from (select 1) as once left join given g on true`;

/** Removes closed leases whose process has forgotten them. */
export const forgetLeases = `
  delete from keyfare.lease l using unnest($2::text[], $3::timestamptz[]) as t(account_id, period_start)
  where l.replica_id = $1::uuid and l.account_id = t.account_id and l.period_start = t.period_start and not l.open`;

/** Removes the leases of a process that ends and has given all of them back. */
export const endLeases = 'delete from keyfare.lease where replica_id = $1::uuid and not open';

/**
 * Ends the leases of processes that are not among the living: counts what each posted after its last fold, by its
 * entries, and gives the rest back. It runs after the process's row is deleted: posts that held the row's lock have
 * committed by then, and later ones are refused. What a lease has is read when its allowance is locked.
 */
export const sweepLeases = `
  with found as materialized (
    select distinct l.account_id, l.period_start from keyfare.lease l
    where not exists (select 1 from keyfare.replica r where r.id = l.replica_id)),
  locked as materialized (
    select a.account_id, a.period_start from keyfare.allowance a join found using (account_id, period_start)
    order by a.account_id, a.period_start for update of a),
  ended as (
    delete from keyfare.lease l using locked
    where l.account_id = locked.account_id and l.period_start = locked.period_start
      and not exists (select 1 from keyfare.replica r where r.id = l.replica_id)
    returning l.*),
  posted as materialized (
    select e.account_id, e.period_start, sum(c.units) as units
    from ended e join keyfare.entry c on c.writer = e.replica_id and c.post > e.post
      and c.principal = e.account_id and c.period_start = e.period_start
    where c.rail = 'key' and c.recorded_at >= (select min(since) from ended)
    group by e.account_id, e.period_start),
  given as (
    select e.account_id, e.period_start, sum(${outstanding('e')}) as units, coalesce(max(p.units), 0) as used
    from ended e left join posted p using (account_id, period_start)
    group by e.account_id, e.period_start)
  update keyfare.allowance a
  set used = a.used + g.used, leased = a.leased - g.units,
    over_units = ${overUnits('a.used + g.used + a.leased - g.units', 'a.limit_units')}
  from given g where a.account_id = g.account_id and a.period_start = g.period_start`;

/**
 * Folds the leases of one account from the log, for a month that gets its first hard limit: what was served without
 * one counts before anybody is admitted under it.
 */
export const foldFromLog = `
  with locked as materialized (
    select account_id, period_start from keyfare.allowance
    where account_id = $1 and period_start >= $2 and limit_units is null
    order by account_id, period_start for update),
  lease as materialized (
    select l.* from keyfare.lease l join locked using (account_id, period_start) for update of l),
  posted as materialized (
    select l.replica_id, l.period_start, sum(c.units) as units, max(c.post) as post
    from lease l join keyfare.entry c on c.writer = l.replica_id and c.post > l.post
      and c.principal = l.account_id and c.period_start = l.period_start
    where c.rail = 'key' and c.recorded_at >= (select min(since) from lease)
    group by l.replica_id, l.period_start),
  next as materialized (
    select l.replica_id, l.period_start, l.granted as granted_before, l.used as used_before, p.post,
      l.used + p.units as used, greatest(l.granted, l.used + p.units) as granted
    from lease l join posted p using (replica_id, period_start)),
  folded as (
    update keyfare.lease l set used = n.used, granted = n.granted, post = n.post
    from next n where l.account_id = $1 and l.replica_id = n.replica_id and l.period_start = n.period_start),
  counted as (
    select period_start, sum(used - used_before) as units,
      sum((granted - used) - (granted_before - used_before)) as leased
    from next group by period_start)
  update keyfare.allowance a set used = a.used + c.units, leased = a.leased + c.leased
  from counted c where a.account_id = $1 and a.period_start = c.period_start`;

/** The hard limit of a plan `p`, as `limitOf` has it: none where it bills what goes beyond, or asks a wallet for $0. */
const planLimit = `case when p.overage = 'invoice'
  or (p.overage = 'x402' and p.overage_is_priced and p.overage_price = 0) then null else p.included_units end`;

/** Before months are opened: a change of a plan that is under way is waited for, and none can begin. */
export const lockAccounts = 'select 1 from keyfare.account where id = any($1::text[]) order by id for share';

/** Opens months, each once, with the limit of the plan that the account has. */
export const openAllowances = `
  insert into keyfare.allowance (account_id, period_start, limit_units)
  select c.id, t.period_start, ${planLimit}
  from unnest($1::text[], $2::timestamptz[]) as t(account_id, period_start)
  join keyfare.account c on c.id = t.account_id join keyfare.plan p on p.id = c.plan_id
  order by c.id, t.period_start
  on conflict (account_id, period_start) do nothing`;

/**
 * Applies a new limit ($3) to the running month, and to a later one that was opened meanwhile. What was used or is held
 * already was admitted under the old terms and stays.
 */
export const changeLimit = `
  update keyfare.allowance a
  set limit_units = $3::bigint,
    over_units = ${overUnits('a.used + a.leased', '$3::bigint')}
  where a.account_id = $1 and a.period_start >= $2`;
