import type { QueryConfig } from 'pg';
import { binaryArray, bytesOfInt64, bytesOfTime, bytesOfUuid, oid } from './binary-array.js';

/** What a row of the log says of a call by key. */
export interface EntryRow {
  readonly id: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly at: number;
  readonly monthStart: number;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly digest: Buffer;
}

/** A plain table with a primary key and the columns of the gate's log: no partitions, triggers or further indexes. */
export const createEntryTable = (table: string): string => `create table if not exists ${table} (
  id uuid primary key, kind text not null, principal text not null, rail text, account_id text, key_id text, sku text,
  units bigint, period_start timestamptz, occurred_at timestamptz, writer uuid, post bigint, kid text not null,
  payload bytea, signature bytea, digest bytea not null, recorded_at timestamptz not null default now())`;

const sku = Buffer.from('bench');
const oneUnit = bytesOfInt64(1n);
const writer = '00000000-0000-4000-8000-000000000001';

/** One prepared statement for all rows, with binary arrays for what differs and single values for what does not. */
export function insertEntries(
  table: string,
  rows: readonly EntryRow[],
  { post, kid }: { readonly post: number; readonly kid: string },
): QueryConfig {
  const array = (type: number, bytesOf: (row: EntryRow) => Buffer): Buffer => binaryArray(type, rows.map(bytesOf));
  return {
    name: `insert_${table}`,
    text: `insert into ${table} (id, kind, principal, rail, account_id, key_id, sku, units, period_start,
        occurred_at, writer, post, kid, payload, signature, digest)
      select id, 'call', account_id, 'key', null, key_id, sku, units, period_start, occurred_at, $10, $11, $12,
        payload, signature, digest
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::bytea[],
        $8::bytea[], $9::bytea[], $13::timestamptz[])
      as t(id, account_id, key_id, sku, units, occurred_at, payload, signature, digest, period_start)
      on conflict (id) do nothing`,
    values: [
      array(oid.uuid, ({ id }) => bytesOfUuid(id)),
      array(oid.text, ({ accountId }) => Buffer.from(accountId)),
      array(oid.text, ({ keyId }) => Buffer.from(keyId)),
      array(oid.text, () => sku),
      array(oid.int8, () => oneUnit),
      array(oid.timestamptz, ({ at }) => bytesOfTime(at)),
      array(oid.bytea, ({ payload }) => payload),
      array(oid.bytea, ({ signature }) => signature),
      array(oid.bytea, ({ digest }) => digest),
      writer,
      String(post),
      kid,
      array(oid.timestamptz, ({ monthStart }) => bytesOfTime(monthStart)),
    ],
  };
}
