import { assetCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import type { Stretch } from './checks/check.js';

/** Rows that nobody may change, and how a stretch of them is counted. */
export interface Proven {
  /** The table, which is the name of the totals too. */
  readonly name: string;
  /** The columns of a row that count. */
  readonly content: string;
  /** The amount of a row and its asset, or what else is summed up, of the columns that `summed` names. */
  readonly sums: string;
  readonly summed: string;
}

const byAsset = (asset: string, amount: string): string =>
  `jsonb_strip_nulls(jsonb_build_object(${assetCodes
    .map((code) => `'${code}', (sum(${amount}) filter (where ${asset} = '${code}'))::text`)
    .join(', ')}))`;

// A document itself is not read here, which would be a gigabyte for a million of them: its length and the digest are.
// Those that are due are read with their signatures.
export const proven: readonly Proven[] = [
  {
    name: 'entry',
    content: `r.place, r.id, r.kind, r.principal, r.digest, octet_length(r.jws), r.fault, r.usage_rail, r.usage_account,
      r.usage_payer, r.usage_sku, r.usage_units, r.usage_occurred_at`,
    sums: `jsonb_build_object('units', coalesce(sum(r.usage_units), 0)::text)`,
    summed: 'r.usage_units',
  },
  {
    name: 'charge',
    // Of a month in UTC the period says nothing, and its total is what it was before periods were kept.
    content: `r.place, r.entry_id, r.rail || coalesce(' ' || extract(epoch from r.billed_in), ''), r.account, r.payer, r.sku, r.units, r.included, r.overage, r.unit_price, r.asset,
      r.amount, r.terms_id, r.period_start, r.occurred_at`,
    sums: byAsset('r.asset', 'r.amount'),
    summed: 'r.asset, r.amount',
  },
  {
    name: 'payment',
    content: `r.place, r.entry_id, r.outcome, r.call_id, r.network, r.asset, r.payer, r.nonce, r.pay_to, r.amount,
      r.transaction, r.sku, r.issued_at`,
    sums: `jsonb_build_object('units', coalesce(sum(r.amount), 0)::text)`,
    summed: 'r.amount',
  },
  {
    name: 'terms',
    content: `r.place, r.id, r.account, r.plan_id, r.included_units, r.overage, r.overage_price, r.monthly_price, r.revision,
      r.effective_at, r.ends_at`,
    sums: `'{}'::jsonb`,
    summed: 'r.place',
  },
];

/** What the rows of a stretch come to. */
export interface Total extends Stretch {
  readonly name: string;
  readonly count: string;
  readonly sums: Readonly<Record<string, string>>;
  readonly digest: string;
}

/** The totals of stretches that follow each other, in one pass over each table; by `keyOf`. */
export async function readTotals(tx: Sql, stretches: readonly Stretch[]): Promise<ReadonlyMap<string, Total>> {
  const totals = new Map<string, Total>();
  if (stretches.length === 0) return totals;
  for (const { name, content, sums, summed } of proven) {
    const rows = await tx.query<{ bucket: number; count: string; sums: Record<string, string>; digest: string }>({
      // Each row is hashed before they are grouped: else whole rows, documents and all, are sorted on disk.
      text: `select r.bucket, count(*)::text as count, ${sums} as sums, coalesce(bit_xor(r.digest), 0)::text as digest
        from (
          select width_bucket(r.place, $1::bigint[]) as bucket, hash_record_extended(row(${content}), 0) as digest, ${summed}
          from billing.${name} r where r.place > $2 and r.place <= $3 offset 0) as r
        group by r.bucket`,
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

export function keyOf({ name, upto }: { readonly name: string; readonly upto: bigint }): string {
  return `${name}:${upto}`;
}
