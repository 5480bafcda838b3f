import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import type { EntryFault, GoodEntry } from '../entry.js';
import { clock } from '../tokens.js';
import type { FeedRow } from './feed.js';
import { type PaymentRow, paymentOf } from './payment-of.js';

/** A row of the feed and what was found of it. */
export interface CheckedRow {
  readonly row: FeedRow;
  readonly entry: GoodEntry | null;
  readonly fault: EntryFault | null;
  readonly detail: string | null;
}

/** Billing's own copy of the log. */
@Injectable()
export class EntryStore {
  constructor(@Inject(clock) private readonly now: Clock) {}

  /** Those of the ids that the books hold already. */
  async known(tx: Sql, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await tx.query<{ id: string }>({
      name: 'billing_known_entries',
      text: 'select id from billing.entry where id = any($1::uuid[]) and fault is null',
      values: [ids],
    });
    return new Set(rows.map(({ id }) => id));
  }

  /** The id of the entry that was read at a place; undefined where none was. */
  async idAt(sql: Sql, place: bigint): Promise<string | undefined> {
    const [row] = await sql.query<{ id: string }>({
      text: 'select id from billing.entry where place = $1',
      values: [place.toString()],
    });
    return row?.id;
  }

  /** Stores rows as they were checked, with the payments that they tell of, within the caller's transaction. */
  async store(tx: Sql, checked: readonly CheckedRow[]): Promise<void> {
    if (checked.length === 0) return;
    const rows = checked.map(({ row }) => row);
    await tx.query({
      name: 'billing_store_entries',
      text: `insert into billing.entry (place, id, kind, principal, digest, recorded_at, jws, usage_rail,
          usage_account, usage_payer, usage_sku, usage_units, usage_period_start, usage_occurred_at, fault,
          fault_detail, ingested_at)
        select t.*, $17 from unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[],
          $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::timestamptz[],
          $14::timestamptz[], $15::text[], $16::text[]) as t`,
      values: [
        rows.map((row) => row.place),
        rows.map((row) => row.id),
        rows.map((row) => row.kind),
        rows.map((row) => row.principal),
        rows.map((row) => row.digest),
        rows.map((row) => timeText(row.recorded_at)),
        rows.map((row) => row.jws),
        rows.map((row) => row.usage_rail),
        rows.map((row) => row.usage_account),
        rows.map((row) => row.usage_payer),
        rows.map((row) => row.usage_sku),
        rows.map((row) => row.usage_units),
        rows.map((row) => timeText(row.usage_period_start)),
        rows.map((row) => timeText(row.usage_occurred_at)),
        checked.map(({ fault }) => fault),
        checked.map(({ detail }) => detail),
        this.now(),
      ],
    });
    await this.#storePayments(
      tx,
      checked.flatMap(({ entry }) => (entry === null ? [] : paymentOf(entry))),
    );
  }

  async #storePayments(tx: Sql, payments: readonly PaymentRow[]): Promise<void> {
    if (payments.length === 0) return;
    await tx.query({
      name: 'billing_store_payments',
      text: `insert into billing.payment (entry_id, outcome, call_id, network, asset, payer, nonce, pay_to, amount,
          transaction, sku, resource_url, reason, issued_at, place)
        select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
          $8::text[], $9::numeric[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[],
          $15::bigint[])`,
      values: [
        payments.map((payment) => payment.entryId),
        payments.map((payment) => payment.outcome),
        payments.map((payment) => payment.callId),
        payments.map((payment) => payment.network),
        payments.map((payment) => payment.asset),
        payments.map((payment) => payment.payer),
        payments.map((payment) => payment.nonce),
        payments.map((payment) => payment.payTo),
        payments.map((payment) => payment.amount.toString()),
        payments.map((payment) => payment.transaction),
        payments.map((payment) => payment.sku),
        payments.map((payment) => payment.resourceUrl),
        payments.map((payment) => payment.reason),
        payments.map((payment) => payment.issuedAt.toISOString()),
        payments.map((payment) => payment.place.toString()),
      ],
    });
  }
}

/**
 * A time as PostgreSQL reads it. `infinity`, and what a `Date` cannot say or PostgreSQL cannot read of it, is stored as
 * infinity: such a row is a bad one, and it must find room all the same, or the intake would stop at it for ever.
 */
function timeText<T extends Date | number | null>(time: T): T extends null ? string | null : string;
function timeText(time: Date | number | null): string | null {
  if (time === null) return null;
  const ms = Number(time);
  if (ms >= earliestMs && ms <= latestMs) return new Date(ms).toISOString();
  return ms < earliestMs ? '-infinity' : 'infinity';
}

const earliestMs = Date.UTC(1_000, 0);
const latestMs = Date.UTC(9_999, 11, 31);
