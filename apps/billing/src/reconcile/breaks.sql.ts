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

/** A break that a run looked for and did not find. What an operator said of it stays. */
const gone = `present = false, status = 'resolved',
    resolution = coalesce(resolution, 'gone: a reconciliation no longer finds it'),
    resolved_by = coalesce(resolved_by, 'system'),
    resolved_at = coalesce(resolved_at, $2)`;

/** What a check found, one JSON object a row: those that it has no word for are null. */
const foundRows = `
  select distinct on (class, subject) f.* from unnest($3::text[]) as t (found),
    jsonb_to_record(t.found::jsonb) as f (class text, subject text, keys jsonb, asset text, amount numeric, side text,
      detail text, place bigint, happened_at timestamptz)
  order by class, subject, side, detail`;

const reopens = `(b.status = 'resolved' and (not b.present or ${another}))`;
const why = `case when b.present then 'it is no longer the difference that was resolved'
    else 'it had gone and came back' end`;

/**
 * Records what the check $4 found: $3, as JSON texts. A break that is there already is seen again, and nothing else of
 * it changes, unless the difference itself did. One that was resolved is open again when it had gone and came back, or
 * when it is another than was resolved; the resolution that it had goes into its history. $1 is the run, $2 its time.
 */
export const recordBreaks = `
    with found as (${foundRows})
    insert into billing.break as b (id, class, keys, asset, amount, side, detail, status, history, first_seen, last_seen,
      present, run_id, check_name, place, happened_at)
    select encode(sha256(convert_to(class || ':' || subject, 'UTF8')), 'hex') as id, class, keys, asset, amount, side,
      detail, 'open', '[]', $2, $2, true, $1, $4, place, happened_at from found order by 1
    on conflict (id) do update set keys = excluded.keys, asset = excluded.asset, amount = excluded.amount,
      side = excluded.side, detail = excluded.detail, last_seen = excluded.last_seen, present = true,
      run_id = excluded.run_id, check_name = excluded.check_name, place = excluded.place,
      happened_at = coalesce(excluded.happened_at, b.happened_at),
      history = case when ${reopens} then b.history || ${past(why)} else b.history end,
      status = case when ${reopens} then 'open' else b.status end,
      resolution = case when ${reopens} then null else b.resolution end,
      resolved_by = case when ${reopens} then null else b.resolved_by end,
      resolved_at = case when ${reopens} then null else b.resolved_at end`;

/**
 * Resolves what the check $3 looked for and did not find, of the classes $6: all of it where $4 and $7 are null, else
 * what has its place in one of the stretches that were read, after $4 and up to $5, or its key $7 among $8.
 */
export const resolveGone = `
  update billing.break as b set ${gone}
  where present and run_id <> $1 and check_name = $3 and class = any($6::text[])
    and ($4::bigint[] is null or exists (
      select 1 from unnest($4::bigint[], $5::bigint[]) as s (after, upto) where b.place > s.after and b.place <= s.upto))
    and ($7::text is null or b.keys ->> $7 = any($8::text[]))`;

/** The same of breaks from before checks had names: the classes in $3 are those whose every check read everything. */
export const resolveNameless = `
  update billing.break as b set ${gone}
  where present and run_id <> $1 and check_name is null and class = any($3::text[])`;

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
