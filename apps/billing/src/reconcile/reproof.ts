import type { Sql } from '@keyfare/db/sql';
import { awaitProofs } from '../turns.js';
import { keyOf, proven, readTotals, type Total } from './proven-rows.js';

/** The time of a stretch of which something changed by rule: the next run reads it again, with its signatures. */
export const unread = new Date(0);

/**
 * Makes a change that the books allow in the rows of one place, and takes the totals of its stretch with it, if it was
 * proven. They are moved by what the rows of the place were and are, and not added up again: what somebody else has
 * changed in the stretch stays `history-changed`.
 */
export async function changeProven(tx: Sql, place: bigint, change: () => Promise<void>): Promise<void> {
  // No run stores what it read before the change.
  await awaitProofs(tx);
  const stretch = { after: place - 1n, upto: place };
  const before = await readTotals(tx, [stretch]);
  await change();
  const after = await readTotals(tx, [stretch]);
  for (const { name } of proven) {
    const key = keyOf({ name, upto: place });
    const [old, now] = [before.get(key), after.get(key)];
    if (old !== undefined && now !== undefined) await move(tx, old, now);
  }
}

async function move(tx: Sql, old: Total, now: Total): Promise<void> {
  const place = old.upto.toString();
  const [kept] = await tx.query<{ sums: Total['sums'] }>({
    text: `select sums from billing.control_total where check_name = $1 and first_at < $2 and last_at >= $2 for update`,
    values: [old.name, place],
  });
  if (kept === undefined) return;
  await tx.query({
    text: `update billing.control_total set count = count - $3::bigint + $4::bigint,
        digest = (digest::bigint # $5::bigint # $6::bigint)::text, sums = $7, read_at = $8
      where check_name = $1 and first_at < $2 and last_at >= $2`,
    values: [
      old.name,
      place,
      old.count,
      now.count,
      old.digest,
      now.digest,
      JSON.stringify(movedSums(kept.sums, old.sums, now.sums)),
      unread,
    ],
  });
}

function movedSums(kept: Total['sums'], old: Total['sums'], now: Total['sums']): Total['sums'] {
  const names = new Set([...Object.keys(kept), ...Object.keys(now)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const sum = BigInt(kept[name] ?? '0') - BigInt(old[name] ?? '0') + BigInt(now[name] ?? '0');
      return [name, sum.toString()];
    }),
  );
}

/** The newest change of that kind that the transaction sees. */
export async function lastChange(tx: Sql): Promise<string> {
  const [row] = await tx.query<{ nth: string }>({
    text: 'select coalesce(max(nth), 0)::text as nth from billing.readmission',
  });
  return row?.nth ?? '0';
}

/** The places of the changes after it, waited for: none comes before the caller's transaction ends. */
export async function changesSince(tx: Sql, nth: string): Promise<readonly bigint[]> {
  await awaitProofs(tx);
  const rows = await tx.query<{ place: string }>({
    text: 'select place from billing.readmission where nth > $1',
    values: [nth],
  });
  return rows.map(({ place }) => BigInt(place));
}
