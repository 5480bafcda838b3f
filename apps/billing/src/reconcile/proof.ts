import { assetCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import type { Check, Stretch } from './checks/check.js';

/** Rows that nobody may change, and how a stretch of them is counted. */
interface Proven {
  /** The table, which is the name of the totals too. */
  readonly name: string;
  /** The columns of a row that count. */
  readonly content: string;
  /** The amount of a row and its asset, or what else is summed up. */
  readonly sums: string;
}

const byAsset = (asset: string, amount: string): string =>
  `jsonb_strip_nulls(jsonb_build_object(${assetCodes
    .map((code) => `'${code}', (sum(${amount}) filter (where ${asset} = '${code}'))::text`)
    .join(', ')}))`;

// A document itself is not read here, which would be a gigabyte for a million of them: its length and the digest are.
// Those that are due are read with their signatures.
const proven: readonly Proven[] = [
  {
    name: 'entry',
    content: `r.place, r.id, r.kind, r.principal, r.digest, octet_length(r.jws), r.fault, r.usage_rail, r.usage_account,
      r.usage_payer, r.usage_sku, r.usage_units, r.usage_occurred_at`,
    sums: `jsonb_build_object('units', coalesce(sum(r.usage_units), 0)::text)`,
  },
  {
    name: 'charge',
    content: `r.place, r.entry_id, r.rail, r.account, r.payer, r.sku, r.units, r.included, r.overage, r.unit_price, r.asset,
      r.amount, r.terms_id, r.period_start, r.occurred_at`,
    sums: byAsset('r.asset', 'r.amount'),
  },
  {
    name: 'payment',
    content: `r.place, r.entry_id, r.outcome, r.call_id, r.network, r.asset, r.payer, r.nonce, r.pay_to, r.amount,
      r.transaction, r.sku, r.issued_at`,
    sums: `jsonb_build_object('units', coalesce(sum(r.amount), 0)::text)`,
  },
  {
    name: 'terms',
    content: `r.place, r.id, r.account, r.plan_id, r.included_units, r.overage, r.overage_price, r.monthly_price, r.revision,
      r.effective_at, r.ends_at`,
    sums: `'{}'::jsonb`,
  },
];

/** What the rows of a stretch come to. */
interface Total extends Stretch {
  readonly name: string;
  readonly count: string;
  readonly sums: Readonly<Record<string, string>>;
  readonly digest: string;
}

interface Known extends Total {
  readonly readAt: Date;
}

/** What a run must know of the proofs before it, and what it adds to them. */
export interface Proof {
  /** What was never proven, up to the place of the run. */
  readonly fresh: readonly Stretch[];
  /** What was proven, and is read again: because it is due, or because its totals are others now. */
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
  const again = [...new Set([...due, ...changed.map(({ before }) => ends.get(before.upto.toString())?.[0] ?? before)])];
  return {
    fresh,
    again,
    check: historyChanged(changed),
    store: async (sql, at) => {
      if (!renews) return;
      const totals = fresh.flatMap((stretch) =>
        proven.flatMap(({ name }) => now.get(keyOf({ ...stretch, name })) ?? []),
      );
      await storeTotals(sql, totals, at);
      await sql.query({
        text: 'update billing.control_total set read_at = $1 where last_at = any($2::numeric[])',
        values: [at, again.map(({ upto }) => upto.toString())],
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

/** The totals of stretches that follow each other, in one pass over each table; by `keyOf`. */
async function readTotals(tx: Sql, stretches: readonly Stretch[]): Promise<ReadonlyMap<string, Total>> {
  const totals = new Map<string, Total>();
  if (stretches.length === 0) return totals;
  for (const { name, content, sums } of proven) {
    const rows = await tx.query<{ bucket: number; count: string; sums: Record<string, string>; digest: string }>({
      text: `select width_bucket(r.place, $1::bigint[]) as bucket, count(*)::text as count, ${sums} as sums,
          coalesce(bit_xor(hash_record_extended(row(${content}), 0)), 0)::text as digest
        from billing.${name} r where r.place > $2 and r.place <= $3 group by 1`,
      values: [
        stretches.map(({ after }) => (after + 1n).toString()),
        stretches[0]?.after.toString(),
        stretches.at(-1)?.upto.toString(),
      ],
    });
    const found = new Map(rows.map((row) => [row.bucket, row]));
    for (const [index, { after, upto }] of stretches.entries()) {
      const { count = '0', digest = '0', sums: amounts = {} } = found.get(index + 1) ?? {};
      totals.set(keyOf({ name, upto }), { name, after, upto, count, digest, sums: amounts });
    }
  }
  return totals;
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

function keyOf({ name, upto }: { readonly name: string; readonly upto: bigint }): string {
  return `${name}:${upto}`;
}
