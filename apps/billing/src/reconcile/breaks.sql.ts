import type { Check } from './checks/check.js';

/**
 * Records what a check finds. A break that is there already is seen again, and nothing else of it changes, unless the
 * difference itself did. One that had gone and comes back is open again; one that an operator resolved while the
 * difference stays remains resolved. $1 is the run, $2 its time.
 */
export function recordBreaks(check: Check): string {
  return `
    with found as (
      select distinct on (class, subject) * from (${check.text}) as found order by class, subject, side, detail)
    insert into billing.break as b (id, class, keys, asset, amount, side, detail, status, first_seen, last_seen, present,
      run_id)
    select encode(sha256(convert_to(class || ':' || subject, 'UTF8')), 'hex'), class, keys, asset, amount, side, detail,
      'open', $2, $2, true, $1 from found
    on conflict (id) do update set keys = excluded.keys, asset = excluded.asset, amount = excluded.amount,
      side = excluded.side, detail = excluded.detail, last_seen = excluded.last_seen, present = true,
      run_id = excluded.run_id,
      status = case when b.present then b.status else 'open' end,
      resolution = case when b.present then b.resolution end,
      resolved_by = case when b.present then b.resolved_by end,
      resolved_at = case when b.present then b.resolved_at end`;
}

/** Resolves what was looked for and not found: the classes in $3 are those whose every check was made. */
export const resolveGone = `
  update billing.break set present = false,
    status = 'resolved',
    resolution = coalesce(resolution, 'gone: a reconciliation no longer finds it'),
    resolved_by = coalesce(resolved_by, 'system'),
    resolved_at = coalesce(resolved_at, $2)
  where present and run_id <> $1 and class = any($3::text[])`;
