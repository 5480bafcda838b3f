/** The lease goes to whoever asks first after it has ended. The epoch grows, which fences the holder before. */
export const takeSequencer = `
  update keyfare.sequencer
  set holder = $1::uuid, epoch = epoch + 1, expires_at = clock_timestamp() + $2::integer * interval '1 millisecond'
  where holder is null or expires_at < clock_timestamp()
  returning epoch`;

/** Gives up the lease, unless another process has it. */
export const releaseSequencer = 'update keyfare.sequencer set holder = null where epoch = $1::bigint';

/**
 * Moves posts from `unplaced` to `placed` and renews the lease, in one transaction under the lock of the lease's row. A
 * holder of an earlier epoch finds no row and moves nothing. Entries that commit after the statement began come with
 * the next one; so the time at which it began is the time up to which places are complete, if none were left over.
 */
export const placeEntries = `
  with seat as materialized (select next_place from keyfare.sequencer where epoch = $1::bigint for update),
  taken as (
    delete from keyfare.unplaced
    where exists (select 1 from seat)
      and serial = any (array(select serial from keyfare.unplaced order by serial limit $3::integer))
    returning serial, ids),
  numbered as (
    select ids, cardinality(ids) as size, sum(cardinality(ids)) over (order by serial)::bigint as through from taken),
  stored as (
    insert into keyfare.placed (first_place, last_place, ids)
    select next_place + through - size, next_place + through - 1, ids from numbered cross join seat),
  moved as (
    update keyfare.sequencer q
    set next_place = s.next_place + coalesce((select max(through) from numbered), 0),
      expires_at = clock_timestamp() + $2::integer * interval '1 millisecond',
      as_of = case when (select count(*) from taken) < $3::integer
        then greatest(q.as_of, statement_timestamp()) else q.as_of end
    from seat s where q.epoch = $1::bigint)
  select exists (select 1 from seat) as is_holder, (select count(*)::integer from taken) as posts`;
