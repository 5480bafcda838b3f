import { bigints, bytes, rows, texts, times, uuids } from '@keyfare/db/rows';

/** A call that asks for a free one. */
export interface FreeAsk {
  readonly exchangeId: string;
  readonly subject: Buffer;
  readonly tier: string;
  readonly endsAt: Date;
  readonly calls: number;
  readonly total: number;
}

/** The rows of `holdFreeCalls`; its last parameter is this process. */
export const freeAskRows = rows<FreeAsk>({
  exchange_id: uuids((ask) => ask.exchangeId),
  subject: bytes((ask) => ask.subject),
  tier: texts((ask) => ask.tier),
  ends_at: times((ask) => ask.endsAt),
  calls: bigints((ask) => BigInt(ask.calls)),
  total: bigints((ask) => BigInt(ask.total)),
});

/** A caller of whom is asked whether there is a free call left. */
export type FreeLook = Pick<FreeAsk, 'subject' | 'calls' | 'tier' | 'total'>;

/** The rows of `selectSpent`. */
export const freeLookRows = rows<FreeLook>({
  subject: bytes((look) => look.subject),
  calls: bigints((look) => BigInt(look.calls)),
  tier: texts((look) => look.tier),
  total: bigints((look) => BigInt(look.total)),
});

/** A tier's row must be there before it is locked: one that comes within a statement is not seen by it. */
export const openTiers = `
  insert into keyfare.free_tier (name, ends_at, taken) select name, ends_at, 0
  from unnest($1::text[], $2::timestamptz[]) as t (name, ends_at) order by name on conflict (name) do nothing`;

/**
 * Holds free calls. The lock on the tier's row makes the total exact; the upsert, whose condition reads the row as it
 * is and not as the statement's snapshot has it, makes each caller's count exact. What the snapshot knows of callers is
 * used to leave out those that have none left, and to say that they have used theirs up, which stays true.
 * Rows are locked in one order everywhere: holds, tiers by name, callers by subject.
 */
export const holdFreeCalls = `
  with item as materialized (select * from ${freeAskRows.source()}),
  tier as materialized (
    select name, taken from keyfare.free_tier where name in (select tier from item) order by name for update),
  known as (
    select i.*, t.taken, coalesce(c.used >= i.calls, false) as spent, coalesce(c.used + c.held >= i.calls, false) as busy
    from item i join tier t on t.name = i.tier left join keyfare.free_caller c using (subject)),
  candidate as (
    select *, row_number() over (partition by tier order by busy, exchange_id) as nth_of_tier from known),
  wanted as (
    select *, row_number() over (partition by subject order by exchange_id) as nth from candidate
    where not busy and nth_of_tier <= total - taken),
  counted as (
    insert into keyfare.free_caller as c (subject, ends_at, calls, used, held, granted)
    select subject, max(ends_at), max(calls), 0, least(count(*), max(calls)), least(count(*), max(calls))
    from wanted group by subject order by subject
    on conflict (subject) do update set calls = excluded.calls,
      granted = least(excluded.granted, excluded.calls - c.used - c.held),
      held = c.held + least(excluded.granted, excluded.calls - c.used - c.held)
    where c.used + c.held < excluded.calls
    returning subject, calls - used - held + granted as before, granted),
  granted as (
    select w.exchange_id, w.subject, w.tier, c.before - w.nth as remaining
    from wanted w join counted c using (subject) where w.nth <= c.granted),
  held as (
    insert into keyfare.free_hold (exchange_id, subject, tier, replica_id)
    select exchange_id, subject, tier, $${freeAskRows.size + 1}::uuid from granted),
  moved as (
    update keyfare.free_tier t set taken = t.taken + g.n
    from (select tier, count(*) as n from granted group by tier) g where t.name = g.tier)
  select i.exchange_id, g.remaining::integer as remaining, coalesce(k.spent, false) as spent,
    k.exchange_id is null or k.taken >= k.total as closed
  from item i left join known k using (exchange_id) left join granted g using (exchange_id)`;

/** The end of holds whose calls are served: of the rows of `item (id)`, those in `ended` were still held. */
export const endFreeHolds = `
  ended as (
    delete from keyfare.free_hold h using item i where h.exchange_id = i.id
    returning h.exchange_id as id, h.subject),
  locked as materialized (
    select subject from keyfare.free_caller where subject in (select subject from ended) order by subject for update),
  counted as (
    update keyfare.free_caller c set used = c.used + e.n, held = c.held - e.n
    from (select subject, count(*) as n from ended join locked using (subject) group by subject) e
    where c.subject = e.subject)`;

/** Gives back what was held for the holds that `condition` finds. A caller that has used none leaves no row. */
const giveBack = (condition: string): string => `
  with ended as (delete from keyfare.free_hold h where ${condition} returning h.subject, h.tier),
  tier as materialized (
    select name from keyfare.free_tier where name in (select tier from ended) order by name for update),
  freed as (
    update keyfare.free_tier t set taken = t.taken - e.n
    from (select tier, count(*) as n from ended join tier on name = tier group by tier) e where t.name = e.tier
    returning t.name),
  locked as materialized (
    select subject, used, held from keyfare.free_caller
    where subject in (select subject from ended) and (select count(*) from freed) >= 0 order by subject for update),
  returned as (
    select l.subject, count(*) as n, l.used = 0 and l.held = count(*) as unused
    from ended e join locked l on l.subject = e.subject group by l.subject, l.used, l.held),
  forgotten as (
    delete from keyfare.free_caller c using returned r where c.subject = r.subject and r.unused)
  update keyfare.free_caller c set held = c.held - r.n from returned r where c.subject = r.subject and not r.unused`;

/** Gives the free calls of these exchanges back. */
export const releaseFreeCalls = giveBack('h.exchange_id = any($1::uuid[])');

/**
 * Gives back what dead processes held, and this one ($2) so many milliseconds ago ($3) that no exchange has it any
 * more.
 */
export const releaseAbandonedFreeCalls = giveBack(`h.replica_id = any($1::uuid[])
    or (h.replica_id = $2::uuid and h.held_at < now() - $3::bigint * interval '1 millisecond')
    or not exists (select 1 from keyfare.replica r where r.id = h.replica_id)`);

/** Which of these callers have used all their free calls, and of whose product all callers together have. */
export const selectSpent = `
  select i.subject, coalesce(c.used >= i.calls, false) as spent, coalesce(t.taken >= i.total, false) as closed
  from (select * from ${freeLookRows.source()}) i
  left join keyfare.free_caller c using (subject) left join keyfare.free_tier t on t.name = i.tier`;

/** Rows are kept for an hour after their period: a process whose clock is behind still counts in it. */
export const forgetTiers = `delete from keyfare.free_tier where ends_at < now() - interval '1 hour'`;
export const forgetCallers = `
  delete from keyfare.free_caller where subject in (
    select subject from keyfare.free_caller where ends_at < now() - interval '1 hour' order by subject limit 5000
    for update skip locked)`;
