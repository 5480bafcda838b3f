import type { Sql } from '@keyfare/db/sql';
import type { Stretch, Window } from './checks/check.js';
import { type InvoiceProof, readInvoiceProof } from './invoice-proof.js';
import { type Proof, readProof } from './proof.js';
import type { RunScope, RunTrigger } from './run-store.js';

/** What a run reads. */
export interface Plan {
  /** Of the log, and of what was made of it. */
  readonly window: Window;
  /** Of the log, with the signatures. */
  readonly signed: Window;
  readonly proof: Proof;
  readonly invoices: InvoiceProof;
}

/** So many breaks in what was proven are looked at again each time; the others when their stretch is due. */
const mostBreaks = 1_000;
const end = 2n ** 63n - 1n;

interface PlanInput {
  readonly scope: RunScope;
  readonly trigger: RunTrigger;
  readonly place: bigint;
  /** In so many, everything that was proven is read again. */
  readonly nights: number;
}

/** `place` is where the log has been read to in the snapshot of `tx`. */
export async function planRun(tx: Sql, { scope, trigger, place, nights }: PlanInput): Promise<Plan> {
  const renews = scope === 'full' || trigger === 'schedule';
  const proof = await readProof(tx, { place, renews, nights });
  if (scope === 'full') {
    return {
      window: null,
      signed: null,
      proof,
      invoices: await readInvoiceProof(tx, { window: null, renews, nights }),
    };
  }
  const again = [...proof.again, ...(await readBreakPlaces(tx))];
  // Rows that claim a place which the log has not reached are read too.
  const rest = { after: proof.fresh[0]?.after ?? place, upto: end };
  const window = merge([...again, rest]);
  return { window, signed: merge(again), proof, invoices: await readInvoiceProof(tx, { window, renews, nights }) };
}

/** Where there are breaks: somebody may have mended what they are about. */
async function readBreakPlaces(tx: Sql): Promise<readonly Stretch[]> {
  const rows = await tx.query<{ place: string }>({
    text: `select distinct place from billing.break where present and place is not null order by place limit $1`,
    values: [mostBreaks],
  });
  return rows.map(({ place }) => ({ after: BigInt(place) - 1n, upto: BigInt(place) }));
}

/** The same places in stretches that do not meet: a row in two of them would be found twice. */
function merge(stretches: readonly Stretch[]): readonly Stretch[] {
  const merged: Stretch[] = [];
  for (const { after, upto } of stretches.toSorted((a, b) => (a.after < b.after ? -1 : 1))) {
    const last = merged.at(-1);
    if (last === undefined || after > last.upto) merged.push({ after, upto });
    else if (upto > last.upto) merged.splice(-1, 1, { after: last.after, upto });
  }
  return merged;
}
