import type { Sql } from '@keyfare/db/sql';
import type { Check, Stretch } from './checks/check.js';
import { keyOf, proven, readTotals, type Total } from './proven-rows.js';
import { changesSince, lastChange, unread } from './reproof.js';

interface Known extends Total {
  readonly readAt: Date;
}

/** What a run must know of the proofs before it, and what it adds to them. */
export interface Proof {
  /** What was never proven, up to the place of the run. */
  readonly fresh: readonly Stretch[];
  /** What was proven, and is read again: because it is due, was changed by rule, or has other totals now. */
  readonly again: readonly Stretch[];
  readonly check: Check;
  /** Stores what is proven by a run that has read `fresh` and `again`. */
  store(tx: Sql, at: Date): Promise<void>;
}

/** A stretch of more is cut, so that each night has its share. */
const longestStretch = 2_000n;

/**
 * Compares the totals of all that was proven with what its rows come to now, and says what is due. `place` is where the
 * log has been read to; with `renews` what is due of all that is read
 * again in so many nights is, and what was not yet is proven.
 */
export async function readProof(
  tx: Sql,
  { place, renews, nights }: { readonly place: bigint; readonly renews: boolean; readonly nights: number },
): Promise<Proof> {
  const known = await readKnown(tx);
  const ends = new Map<string, Known[]>();
  for (const total of known) ends.set(total.upto.toString(), [...(ends.get(total.upto.toString()) ?? []), total]);
  const stretches = [...ends.values()].flatMap(([first]) => first ?? []);
  const last = stretches.at(-1)?.upto ?? 0n;
  const fresh = cut({ after: last < place ? last : place, upto: place });
  const now = await readTotals(tx, [...stretches, ...fresh]);
  const changed = known.flatMap((before) => {
    const after = now.get(keyOf(before));
    return after !== undefined && isSame(before, after) ? [] : [{ before, after }];
  });
  const due = renews ? oldest(stretches, Math.ceil(stretches.length / nights)) : [];
  const moved = stretches.filter(({ readAt }) => readAt.getTime() === unread.getTime());
  const seen = await lastChange(tx);
  const again = [
    ...new Set([...due, ...moved, ...changed.map(({ before }) => ends.get(before.upto.toString())?.[0] ?? before)]),
  ];
  return {
    fresh,
    again,
    check: historyChanged(changed),
    store: async (sql, at) => {
      if (!renews) return;
      // What was changed by rule since it was read is read by the next run.
      const changes = await changesSince(sql, seen);
      const totals = fresh
        .filter(({ upto }) => changes.every((readmitted) => readmitted > upto))
        .flatMap((stretch) => proven.flatMap(({ name }) => now.get(keyOf({ ...stretch, name })) ?? []));
      await storeTotals(sql, totals, at);
      await sql.query({
        text: 'update billing.control_total set read_at = $1 where last_at = any($2::numeric[])',
        values: [
          at,
          again
            .filter(({ after, upto }) => !changes.some((readmitted) => readmitted > after && readmitted <= upto))
            .map(({ upto }) => upto.toString()),
        ],
      });
    },
  };
}

async function readKnown(tx: Sql): Promise<readonly Known[]> {
  const rows = await tx.query<{
    check_name: string;
    first_at: string;
    last_at: string;
    count: string;
    sums: Record<string, string>;
    digest: string;
    read_at: Date;
  }>({ text: 'select * from billing.control_total order by last_at, check_name' });
  return rows.map((row) => ({
    name: row.check_name,
    after: BigInt(row.first_at),
    upto: BigInt(row.last_at),
    count: row.count,
    sums: row.sums,
    digest: row.digest,
    readAt: row.read_at,
  }));
}

async function storeTotals(tx: Sql, totals: readonly Total[], at: Date): Promise<void> {
  await tx.query({
    text: `insert into billing.control_total (day, check_name, first_at, last_at, count, sums, digest, proven_at, read_at)
      select ($7::timestamptz at time zone 'utc')::date, t.*, $7, $7
      from unnest($1::text[], $2::numeric[], $3::numeric[], $4::bigint[], $5::jsonb[], $6::text[]) as t
      on conflict do nothing`,
    values: [
      totals.map(({ name }) => name),
      totals.map(({ after }) => after.toString()),
      totals.map(({ upto }) => upto.toString()),
      totals.map(({ count }) => count),
      totals.map(({ sums }) => JSON.stringify(sums)),
      totals.map(({ digest }) => digest),
      at,
    ],
  });
}

/** A difference stays for as long as the rows are other ones than were proven. */
function historyChanged(changed: readonly { readonly before: Known; readonly after: Total | undefined }[]): Check {
  const found = changed.map(({ before, after }) => ({
    subject: `${before.name}:${before.upto}`,
    keys: { table: before.name, after: before.after.toString(), upto: before.upto.toString() },
    detail:
      `${before.count} rows were proven, and are ${after?.count ?? '0'} now; ` +
      `their sums were ${JSON.stringify(before.sums)}, and are ${JSON.stringify(after?.sums ?? {})}; ` +
      `the digest of what they hold was ${before.digest}, and is ${after?.digest ?? 'none'}.`,
  }));
  return {
    name: 'history',
    classes: ['history-changed'],
    text: `select 'history-changed' as class, subject, keys, null::text as asset, null::numeric as amount,
        'ledger' as side, detail
      from unnest($3::text[], $4::jsonb[], $5::text[]) as t (subject, keys, detail)`,
    values: [
      found.map(({ subject }) => subject),
      found.map(({ keys }) => JSON.stringify(keys)),
      found.map(({ detail }) => detail),
    ],
  };
}

function cut({ after, upto }: Stretch): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let from = after; from < upto; ) {
    const to = from + longestStretch < upto ? from + longestStretch : upto;
    stretches.push({ after: from, upto: to });
    from = to;
  }
  return stretches;
}

function oldest(stretches: readonly Known[], count: number): readonly Known[] {
  return stretches.toSorted((a, b) => a.readAt.getTime() - b.readAt.getTime()).slice(0, count);
}

function isSame(before: Total, after: Total): boolean {
  return before.count === after.count && before.digest === after.digest;
}
