import type { Check } from './checks/check.js';

/** What a resolved break was, and why that is over. Its keys are those of `PastResolution`. */
function past(why: string): string {
  return `jsonb_build_object('at', $2::timestamptz, 'why', ${why}, 'asset', b.asset, 'amount', b.amount::text,
    'side', b.side, 'detail', b.detail, 'resolution', b.resolution, 'resolvedBy', b.resolved_by,
    'resolvedAt', b.resolved_at)`;
}

// An operator resolved the difference as it was, and never looked at any other. While it is resolved, the stored one is
// the one that was looked at: any run that finds another opens the break before it stores what it found.
const another = `(b.asset, b.amount, b.side, b.detail) is distinct from
  (excluded.asset, excluded.amount, excluded.side, excluded.detail)`;

/**
 * Records what a check finds. A break that is there already is seen again, and nothing else of it changes, unless the
 * difference itself did. One that was resolved is open again when it had gone and came back, or when it is another than
 * was resolved; the resolution that it had goes into its history. $1 is the run, $2 its time.
 */
export function recordBreaks(check: Check): string {
  const reopens = `(b.status = 'resolved' and (not b.present or ${another}))`;
  const why = `case when b.present then 'it is no longer the difference that was resolved'
    else 'it had gone and came back' end`;
  return `
    with found as (
      select distinct on (class, subject) * from (${check.text}) as found order by class, subject, side, detail)
    insert into billing.break as b (id, class, keys, asset, amount, side, detail, status, history, first_seen, last_seen,
      present, run_id)
    select encode(sha256(convert_to(class || ':' || subject, 'UTF8')), 'hex'), class, keys, asset, amount, side, detail,
      'open', '[]', $2, $2, true, $1 from found
    on conflict (id) do update set keys = excluded.keys, asset = excluded.asset, amount = excluded.amount,
      side = excluded.side, detail = excluded.detail, last_seen = excluded.last_seen, present = true,
      run_id = excluded.run_id,
      history = case when ${reopens} then b.history || ${past(why)} else b.history end,
      status = case when ${reopens} then 'open' else b.status end,
      resolution = case when ${reopens} then null else b.resolution end,
      resolved_by = case when ${reopens} then null else b.resolved_by end,
      resolved_at = case when ${reopens} then null else b.resolved_at end`;
}

/** Resolves what was looked for and not found: the classes in $3 are those whose every check was made. */
export const resolveGone = `
  update billing.break set present = false,
    status = 'resolved',
    resolution = coalesce(resolution, 'gone: a reconciliation no longer finds it'),
    resolved_by = coalesce(resolved_by, 'system'),
    resolved_at = coalesce(resolved_at, $2)
  where present and run_id <> $1 and class = any($3::text[])`;

/** Resolves the break $1 at $2 with the text $3, or opens it again where that is null: as an operator says. */
export const resolveByOperator = `
  update billing.break as b set
    history = case when b.status = 'resolved'
      then b.history || ${past(`case when $3::text is null then 'an operator opened it' else 'an operator resolved it anew' end`)}
      else b.history end,
    status = case when $3::text is null then 'open' else 'resolved' end,
    resolution = $3::text,
    resolved_by = case when $3::text is not null then 'operator' end,
    resolved_at = case when $3::text is not null then $2::timestamptz end
  where id = $1`;

/** Sets who works on the break $1, and their note, where $2 and $4 say so. */
export const changeByOperator = `
  update billing.break set owner = case when $2::boolean then $3::text else owner end,
    note = case when $4::boolean then $5::text else note end
  where id = $1 and ($2 or $4)`;
