import type { AccountsMoment, TermsRow } from '../../accounts-reading.js';
import type { Check } from './check.js';

/**
 * The terms that the API has in force for each account against the entries that tell of them: the account's revision
 * must be one that the log knows, with the same plan from the same second to the same end, and the log must know of
 * none that is newer. And the log by itself: in its order an account's revisions grow, and none applies from earlier
 * than the one before.
 */
export function checkTerms({ place, readAt }: AccountsMoment, rows: readonly TermsRow[]): Check {
  return {
    name: 'terms',
    classes: ['terms-mismatch'],
    text: `
      with in_force as (
        select * from unnest($3::text[], $4::text[], $5::bigint[], $6::timestamptz[],
          $9::timestamptz[])
          as t (account, plan_id, revision, effective_at, ends_at)),
      -- Terms up to the place are older than the reading, those recorded after it are younger; in between either may be.
      told as (
        select b.*, e.recorded_at, b.place <= $7::bigint as older
        from billing.terms b join billing.entry e on e.place = b.place
        where e.recorded_at <= to_timestamp($8::numeric / 1000000)),
      compared as (
        select f.account, f.revision, same.id as entry, same.plan_id is not distinct from f.plan_id
            -- From before changes were counted, the account's time is a bound and not that of its entry.
            and (f.revision = 0 or date_trunc('second', same.effective_at)
              is not distinct from date_trunc('second', f.effective_at))
            -- Signed in whole seconds, rounded up: what was sold before the end is before it on paper too.
            and same.ends_at is not distinct from to_timestamp(ceil(extract(epoch from f.ends_at))) as agrees,
          exists (select 1 from told n where n.account = f.account and n.older and n.revision > f.revision) as newer
        from in_force f
        left join lateral (
          select id, plan_id, effective_at, ends_at from told t where t.account = f.account and t.revision = f.revision
          order by t.effective_at desc, t.place desc limit 1) as same on true),
      ordered as (
        select account, id, revision, effective_at, lag(revision) over log as revision_before,
          lag(effective_at) over log as effective_before
        from billing.terms window log as (partition by account order by place))
      select 'terms-mismatch' as class, account as subject,
        jsonb_strip_nulls(jsonb_build_object('account', account, 'revision', revision::text, 'entry', entry)) as keys,
        null::text as asset, null::numeric as amount, 'usage' as side,
        case when newer then 'The log tells of newer terms than the API has in force for the account.'
          when entry is null then 'No entry tells of the terms that the API has in force for the account.'
          else 'The API has another plan, or another start or end of it, in force than the entry says.' end as detail
      from compared where newer or not agrees
      union all
      select 'terms-mismatch', 'entry:' || id,
        jsonb_build_object('account', account, 'revision', revision::text, 'entry', id), null, null, 'receipt',
        'The terms are older, or apply from earlier, than those that the log told of before them.'
      from ordered where revision > 0 and (revision <= revision_before or effective_at < effective_before)`,
    values: [
      rows.map(({ account }) => account),
      rows.map(({ planId }) => planId),
      rows.map(({ revision }) => revision.toString()),
      rows.map(({ effectiveAt }) => effectiveAt.toISOString()),
      place.toString(),
      readAt.toString(),
      rows.map(({ endsAt }) => endsAt?.toISOString() ?? null),
    ],
  };
}
