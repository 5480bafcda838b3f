import type { Ed25519Jwk } from '@keyfare/core/receipt';
import type { Sql } from '@keyfare/db/sql';
import type { SignaturePool, SignatureQuestion } from '../../signature-pool.js';
import type { Check, Stretch, Window } from './check.js';

/** Twice so many documents are in memory at a time: those that are checked, and the next. */
const batchSize = 1_000;
const noKey = 'The stored document names no key that the API has shown.';
const wrongSignature = 'The signature of the stored document is not by the key that it names.';

interface Row {
  readonly place: string;
  readonly id: string;
  readonly kind: string;
  readonly jws: string | null;
  readonly recorded_at: Date;
}

interface Found {
  readonly row: Row;
  readonly detail: string;
}

/**
 * Verifies the documents of a window again: their signatures are the one thing in the books that who can write to the
 * database cannot make. It reads them in batches, the next one while other threads check the one before. `beat` is
 * called with each batch.
 */
export async function checkSignatures(
  tx: Sql,
  window: Window,
  { signatures, beat }: { readonly signatures: SignaturePool; readonly beat: () => Promise<void> },
): Promise<Check> {
  const keys = await readKeys(tx);
  const found: Found[] = [];
  for (const stretch of window ?? [{ after: 0n, upto: 2n ** 63n - 1n }]) {
    let rows = await readBatch(tx, stretch);
    while (rows.length > 0) {
      const after = BigInt(rows.at(-1)?.place ?? 0);
      const [faults, next] = await Promise.all([
        faultsOf(rows, { keys, signatures }),
        rows.length < batchSize ? [] : readBatch(tx, { after, upto: stretch.upto }),
        beat(),
      ]);
      found.push(...faults);
      rows = next;
    }
  }
  return {
    name: 'signatures',
    classes: ['receipt-invalid'],
    window,
    text: `
      select 'receipt-invalid' as class, 'signature:' || place as subject,
        jsonb_build_object('entry', id, 'kind', kind, 'place', place::text) as keys, null::text as asset,
        null::numeric as amount, 'receipt' as side, detail, place, happened_at
      from unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
        as t (place, id, kind, detail, happened_at)`,
    values: [
      found.map(({ row }) => row.place),
      found.map(({ row }) => row.id),
      found.map(({ row }) => row.kind),
      found.map(({ detail }) => detail),
      found.map(({ row }) => row.recorded_at),
    ],
  };
}

async function readBatch(tx: Sql, { after, upto }: Stretch): Promise<readonly Row[]> {
  return tx.query<Row>({
    text: `select place, id, kind, jws, recorded_at from billing.entry
      where fault is null and place > $1 and place <= $2 order by place limit $3`,
    values: [after.toString(), upto.toString(), batchSize],
  });
}

async function readKeys(tx: Sql): Promise<ReadonlyMap<string, Ed25519Jwk>> {
  const rows = await tx.query<{ kid: string; jwk: Ed25519Jwk }>({ text: 'select kid, jwk from billing.receipt_key' });
  return new Map(rows.map(({ kid, jwk }) => [kid, jwk]));
}

/** What is wrong with compact JWS (RFC 7515 §5.2): nothing of those that one of the keys signed. */
async function faultsOf(
  rows: readonly Row[],
  { keys, signatures }: { readonly keys: ReadonlyMap<string, Ed25519Jwk>; readonly signatures: SignaturePool },
): Promise<readonly Found[]> {
  const asked = rows.map((row) => ({ row, question: questionOf(row.jws ?? '', keys) }));
  const answers = await signatures.verify(asked.flatMap(({ question }) => question ?? []));
  let nth = 0;
  return asked.flatMap(({ row, question }) => {
    if (question === null) return { row, detail: noKey };
    const isGood = answers[nth];
    nth += 1;
    return isGood === true ? [] : { row, detail: wrongSignature };
  });
}

/** Null when none of the keys can have signed it. */
function questionOf(jws: string, keys: ReadonlyMap<string, Ed25519Jwk>): SignatureQuestion | null {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const key = keys.get(kidOf(header) ?? '');
  if (key === undefined) return null;
  return { key, message: Buffer.from(`${header}.${payload}`), signature: Buffer.from(signature, 'base64url') };
}

/** Documents of one key have one header: it is read once. */
const kids = new Map<string, string | undefined>();
function kidOf(header: string): string | undefined {
  if (kids.has(header)) return kids.get(header);
  if (kids.size > 100) kids.clear();
  const kid = readKid(header);
  kids.set(header, kid);
  return kid;
}

function readKid(header: string): string | undefined {
  try {
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { kid?: string };
    return kid;
  } catch {
    return undefined;
  }
}
