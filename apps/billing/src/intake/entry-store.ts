import type { Clock } from '@keyfare/core/time';
import { bigints, bytes, rows, texts, times, uuids } from '@keyfare/db/rows';
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
    const found = await tx.query<{ id: string }>({
      name: 'billing_known_entries',
      text: 'select id from billing.entry where id = any($1::uuid[]) and fault is null',
      values: [ids],
    });
    return new Set(found.map(({ id }) => id));
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
    await tx.query({
      name: 'billing_store_entries',
      text: storeEntries,
      values: [...entryRows.values(checked), this.now()],
    });
    await this.#storePayments(
      tx,
      checked.flatMap(({ entry }) => (entry === null ? [] : paymentOf(entry))),
    );
  }

  async #storePayments(tx: Sql, payments: readonly PaymentRow[]): Promise<void> {
    if (payments.length === 0) return;
    await tx.query({ name: 'billing_store_payments', text: storePayments, values: paymentRows.values(payments) });
  }
}

const entryRows = rows<CheckedRow>({
  place: bigints(({ row }) => BigInt(row.place)),
  id: uuids(({ row }) => row.id),
  kind: texts(({ row }) => row.kind),
  principal: texts(({ row }) => row.principal),
  digest: bytes(({ row }) => row.digest),
  recorded_at: times(({ row }) => storable(row.recorded_at)),
  jws: texts(({ row }) => row.jws),
  usage_rail: texts(({ row }) => row.usage_rail),
  usage_account: texts(({ row }) => row.usage_account),
  usage_payer: texts(({ row }) => row.usage_payer),
  usage_sku: texts(({ row }) => row.usage_sku),
  usage_units: bigints(({ row }) => (row.usage_units === null ? null : BigInt(row.usage_units))),
  usage_period_start: times(({ row }) => storable(row.usage_period_start)),
  usage_occurred_at: times(({ row }) => storable(row.usage_occurred_at)),
  fault: texts(({ fault }) => fault),
  fault_detail: texts(({ detail }) => detail),
});
const entryColumns = `place, id, kind, principal, digest, recorded_at, jws, usage_rail, usage_account, usage_payer,
  usage_sku, usage_units, usage_period_start, usage_occurred_at, fault, fault_detail`;
const storeEntries = `insert into billing.entry (${entryColumns}, ingested_at)
  select ${entryColumns}, $${entryRows.size + 1} from ${entryRows.source()}`;

const paymentRows = rows<PaymentRow>({
  entry_id: uuids((payment) => payment.entryId),
  outcome: texts((payment) => payment.outcome),
  call_id: uuids((payment) => payment.callId),
  network: texts((payment) => payment.network),
  asset: texts((payment) => payment.asset),
  payer: texts((payment) => payment.payer),
  nonce: texts((payment) => payment.nonce),
  pay_to: texts((payment) => payment.payTo),
  amount: texts((payment) => payment.amount.toString()),
  transaction: texts((payment) => payment.transaction),
  sku: texts((payment) => payment.sku),
  resource_url: texts((payment) => payment.resourceUrl),
  reason: texts((payment) => payment.reason),
  issued_at: times((payment) => payment.issuedAt),
  place: bigints((payment) => payment.place),
});
const storePayments = `insert into billing.payment (entry_id, outcome, call_id, network, asset, payer, nonce, pay_to,
    amount, transaction, sku, resource_url, reason, issued_at, place)
  select entry_id, outcome, call_id, network, asset, payer, nonce, pay_to, amount::numeric, transaction, sku,
    resource_url, reason, issued_at, place
  from ${paymentRows.source()}`;

/**
 * The time, or the year 9999's end or the year 1000 in place of `infinity` and of what a `Date` cannot say or
 * PostgreSQL cannot read: such a row is a bad one, and it must find room all the same, or the intake would stop at it.
 */
function storable(time: Date | number | null): Date | null {
  if (time === null) return null;
  const ms = Number(time);
  if (ms >= earliestMs && ms <= latestMs) return new Date(ms);
  return new Date(ms < earliestMs ? earliestMs : latestMs);
}

const earliestMs = Date.UTC(1_000, 0);
const latestMs = Date.UTC(9_999, 11, 31);
