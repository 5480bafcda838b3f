import type { TermsPayload } from '@keyfare/core/log';
import { monthOf } from '@keyfare/core/time';
import { bigints, rows, texts, times } from '@keyfare/db/rows';
import type { Sql } from '@keyfare/db/sql';
import { appendEntries, type EntryItem, entryColumns } from '@keyfare/gate/log';

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

/** A row of the log, as the gate's own statement takes it; `recordedAt` is the test's, `occurredAt` may be no time. */
export interface Row extends EntryItem {
  readonly kind: string;
  readonly principal: string;
  readonly rail: string | null;
  readonly account: string | null;
  readonly sku: string | null;
  readonly units: bigint | null;
  readonly periodStart: Date | null;
  readonly occurredAt: string | null;
  readonly recordedAt: Date | null;
}

/** The signed text as the log holds it: taken apart, and without a header that says what the row says. */
export function rowOf({ id, kind, principal, jws, digest, usage, recordedAt }: Written): Row {
  const [header = '', payload, signature] = jws?.split('.') ?? [];
  const kid = header === '' ? '' : (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid;
  const occurredAt = usage?.occurredAt ?? null;
  const erased = null as unknown as Buffer;
  return {
    id,
    kind,
    // Whose usage it is: the account on the key rail, else the payer.
    principal: usage?.payer ?? principal,
    rail: usage?.rail ?? null,
    account: usage?.rail === 'x402' ? usage.account : null,
    sku: usage?.sku ?? null,
    units: usage === null ? null : BigInt(usage.units),
    periodStart: occurredAt instanceof Date ? monthOf(occurredAt).start : null,
    // PostgreSQL writes a year of five digits without a sign.
    occurredAt: occurredAt instanceof Date ? occurredAt.toISOString().replace(/^\+0*/, '') : occurredAt,
    kid,
    payload: payload === undefined ? erased : Buffer.from(payload, 'base64url'),
    signature: signature === undefined ? erased : Buffer.from(signature, 'base64url'),
    digest,
    recordedAt: recordedAt ?? null,
  };
}

const logRows = rows<Row>({
  ...entryColumns<Row>(),
  kind: texts((row) => row.kind),
  principal: texts((row) => row.principal),
  rail: texts((row) => row.rail),
  account_id: texts((row) => row.account),
  sku: texts((row) => row.sku),
  units: bigints((row) => row.units),
  period_start: times((row) => row.periodStart),
  occurred_at: texts((row) => row.occurredAt),
  recorded_at: times((row) => row.recordedAt),
});

const appendRows = `with ${appendEntries(logRows.source(), {
  kind: 'kind',
  principal: 'principal',
  rail: 'rail',
  account_id: 'account_id',
  key_id: `case rail when 'key' then 'key_1' end`,
  sku: 'sku',
  units: 'units',
  period_start: 'period_start',
  occurred_at: 'occurred_at::timestamptz',
  recorded_at: 'coalesce(recorded_at, now())',
})} select 1`;

/** Appends entries by the gate's statement, which notes that they have no places yet. */
export async function insertRows(tx: Sql, items: readonly Row[]): Promise<void> {
  await tx.query({ text: appendRows, values: logRows.values(items) });
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
