import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import type { Sql } from '@keyfare/db/sql';
import type { Check, Stretch, Window } from './check.js';

const verifyOffThread = promisify<null, Buffer, KeyObject, Buffer, boolean>(verify);
/** So many documents are in memory at a time. */
const batchSize = 1_000;
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
 * database cannot make. It reads them in batches, and verifies off the main thread. `beat` is called after each batch.
 */
export async function checkSignatures(tx: Sql, window: Window, beat: () => Promise<void>): Promise<Check> {
  const keys = await readKeys(tx);
  const found: Found[] = [];
  for (const stretch of window ?? [{ after: 0n, upto: 2n ** 63n - 1n }]) {
    for (let { after } = stretch; ; ) {
      const rows = await readBatch(tx, { after, upto: stretch.upto });
      const details = await Promise.all(rows.map(async ({ jws }) => faultOf(jws ?? '', keys)));
      found.push(...details.flatMap((detail, index) => (detail === null ? [] : { row: rows[index] as Row, detail })));
      await beat();
      const last = rows.at(-1);
      if (last === undefined || rows.length < batchSize) break;
      after = BigInt(last.place);
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

async function readKeys(tx: Sql): Promise<ReadonlyMap<string, KeyObject>> {
  const rows = await tx.query<{ kid: string; jwk: { readonly x: string } }>({
    text: 'select kid, jwk from billing.receipt_key',
  });
  return new Map(
    rows.map(({ kid, jwk }) => [
      kid,
      createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: jwk.x }, format: 'jwk' }),
    ]),
  );
}

/** What is wrong with a compact JWS (RFC 7515 §5.2); null when one of the keys signed it. */
async function faultOf(jws: string, keys: ReadonlyMap<string, KeyObject>): Promise<string | null> {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const key = keys.get(kidOf(header) ?? '');
  if (key === undefined) return 'The stored document names no key that the API has shown.';
  const input = Buffer.from(`${header}.${payload}`);
  return (await verifyOffThread(null, input, key, Buffer.from(signature, 'base64url'))) ? null : wrongSignature;
}

function kidOf(header: string): string | undefined {
  try {
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as { kid?: string };
    return kid;
  } catch {
    return undefined;
  }
}
