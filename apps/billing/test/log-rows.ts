import type { TermsPayload } from '@keyfare/core/log';
import { monthOf } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';

/** A usage row, as the gate writes it. */
export interface Usage {
  readonly rail: 'key' | 'x402';
  readonly account: string | null;
  readonly payer: string | null;
  readonly sku: string;
  readonly units: number;
  /** The text `infinity` is a time for PostgreSQL and none for anybody else. */
  readonly occurredAt: Date | 'infinity';
}

/** An entry with everything that belongs to it; `change` spoils it between its signing and its writing. */
export interface Written {
  id: string;
  kind: string;
  principal: string;
  jws: string | null;
  digest: Buffer;
  usage: Usage | null;
  recordedAt?: Date;
}
export type Change = (written: Written) => void;

/** A row of the wide entry table. */
export interface Row {
  readonly id: string;
  readonly kind: string;
  readonly principal: string;
  readonly rail: string | null;
  readonly account: string | null;
  readonly sku: string | null;
  readonly units: number | null;
  readonly periodStart: Date | null;
  readonly occurredAt: Date | string | null;
  readonly kid: string | null;
  readonly payload: Buffer | null;
  readonly signature: Buffer | null;
  readonly digest: Buffer;
  readonly recordedAt: Date | null;
}

/** The signed text as the table holds it: taken apart, and without a header that says what the row says. */
export function rowOf({ id, kind, principal, jws, digest, usage, recordedAt }: Written): Row {
  const [header = '', payload, signature] = jws?.split('.') ?? [];
  const kid = header === '' ? null : (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid;
  const occurredAt = usage?.occurredAt ?? null;
  return {
    id,
    kind,
    // Whose usage it is: the account on the key rail, else the payer.
    principal: usage?.payer ?? principal,
    rail: usage?.rail ?? null,
    account: usage?.rail === 'x402' ? usage.account : null,
    sku: usage?.sku ?? null,
    units: usage?.units ?? null,
    periodStart: occurredAt instanceof Date ? monthOf(occurredAt).start : null,
    occurredAt,
    kid,
    payload: payload === undefined ? null : Buffer.from(payload, 'base64url'),
    signature: signature === undefined ? null : Buffer.from(signature, 'base64url'),
    digest,
    recordedAt: recordedAt ?? null,
  };
}

/** Appends entries, and notes that they have no places yet. */
export async function insertRows(tx: Sql, rows: readonly Row[]): Promise<void> {
  await tx.query({
    text: `insert into keyfare.entry (id, kind, principal, rail, account_id, key_id, sku, units, period_start, occurred_at,
        kid, payload, signature, digest, recorded_at)
      select id, kind, principal, rail, account, case rail when 'key' then 'key_1' end, sku, units, period_start,
        occurred_at, coalesce(kid, ''), payload, signature, digest, coalesce(recorded_at, now())
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bytea[], $12::bytea[], $13::bytea[], $14::timestamptz[])
        as t (id, kind, principal, rail, account, sku, units, period_start, occurred_at, kid, payload, signature, digest,
          recorded_at)`,
    values: [
      rows.map((row) => row.id),
      rows.map((row) => row.kind),
      rows.map((row) => row.principal),
      rows.map((row) => row.rail),
      rows.map((row) => row.account),
      rows.map((row) => row.sku),
      rows.map((row) => row.units),
      rows.map((row) => row.periodStart),
      rows.map((row) => row.occurredAt),
      rows.map((row) => row.kid),
      rows.map((row) => row.payload),
      rows.map((row) => row.signature),
      rows.map((row) => row.digest),
      rows.map((row) => row.recordedAt),
    ],
  });
  await tx.query({
    text: 'insert into keyfare.unplaced (ids) values ($1::uuid[])',
    values: [rows.map(({ id }) => id)],
  });
}

export async function meter(tx: Sql, counted: { account: string; periodStart: Date; units: number }): Promise<void> {
  await tx.query({
    text: `insert into keyfare.allowance (account_id, period_start, used) values ($1, $2, $3)
      on conflict (account_id, period_start) do update set used = allowance.used + excluded.used`,
    values: [counted.account, counted.periodStart, counted.units],
  });
}

/** The account's row, as the change of terms leaves it. */
export async function putInForce(tx: Sql, terms: TermsPayload): Promise<void> {
  const { account, accountName, plan, effectiveAt, endsAt = null, revision = 0 } = terms;
  await tx.query({
    text: `insert into keyfare.plan (id, slug, version, included_units, overage, overage_price, monthly_price, created_at)
      values ($1, $2, 1, 0, 'reject', 0, 0, now()) on conflict do nothing`,
    values: [plan.id, plan.slug],
  });
  await tx.query({
    text: `insert into keyfare.account (id, name, plan_id, created_at, revision, effective_at, ends_at)
      values ($1, $2, $3, now(), $4, to_timestamp($5), to_timestamp($6) - interval '300 milliseconds')
      on conflict (id) do update set plan_id = excluded.plan_id, revision = excluded.revision,
        effective_at = excluded.effective_at, ends_at = excluded.ends_at`,
    // The log has whole seconds, rounded up.
    values: [account, accountName, plan.id, revision, effectiveAt, endsAt],
  });
}
