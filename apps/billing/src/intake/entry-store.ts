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

/** Which refused entries are asked for. */
export interface RefusedFilter {
  /** The place that they are behind. */
  readonly after?: string | null | undefined;
  readonly limit: number;
  readonly fault?: EntryFault | undefined;
  readonly keyKnown?: boolean;
}

/** An entry that is not in the books, and why. */
export interface RefusedEntry {
  readonly row: FeedRow;
  readonly fault: EntryFault;
  readonly detail: string | null;
  readonly readAt: Date;
}

/** Who readmits an entry and why, and the place that was read last before. */
export interface Readmission {
  readonly by: string;
  readonly reason: string;
  readonly after: bigint;
}

interface RefusedRow extends FeedRow {
  readonly fault: EntryFault;
  readonly fault_detail: string | null;
  readonly ingested_at: Date;
}

function toRefused({ fault, fault_detail: detail, ingested_at: readAt, ...row }: RefusedRow): RefusedEntry {
  return { row, fault, detail, readAt };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const feedColumns = `place, id, kind, principal, digest, recorded_at, jws, usage_rail, usage_account, usage_payer,
  usage_sku, usage_units, usage_period_start, usage_occurred_at`;

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

  /**
   * Refused entries in the order of the log. With `keyKnown`, those alone that were refused for a key that has appeared
   * since.
   */
  async refused(sql: Sql, filter: RefusedFilter): Promise<readonly RefusedEntry[]> {
    const { after = null, limit, fault = null, keyKnown = false } = filter;
    const found = await sql.query<RefusedRow>({
      text: `select ${feedColumns}, fault, fault_detail, ingested_at from billing.entry e
        where fault is not null and place > coalesce($1::bigint, -1) and fault = coalesce($2::text, fault)
          and (not $3::boolean or fault_detail in (
            select 'The key set has no usable key ' || kid || '.' from billing.receipt_key))
        order by place limit $4`,
      values: [after, fault, keyKnown, limit],
    });
    return found.map(toRefused);
  }

  /** Whether an entry was refused because its key was not known. */
  async wantsKeys(sql: Sql): Promise<boolean> {
    const found = await sql.query({
      text: `select from billing.entry
        where fault = 'receipt-invalid' and fault_detail like 'The key set has no usable key %' limit 1`,
    });
    return found.length > 0;
  }

  /** The refused entry with this id, the first of several; undefined where there is none. */
  async findRefused(sql: Sql, id: string): Promise<RefusedEntry | undefined> {
    if (!uuid.test(id)) return undefined;
    const [found] = await sql.query<RefusedRow>({
      text: `select ${feedColumns}, fault, fault_detail, ingested_at from billing.entry
        where id = $1 and fault is not null order by place limit 1`,
      values: [id],
    });
    return found && toRefused(found);
  }

  /** Whether something of the payment that the entry tells of was booked from a later place. */
  async isOvertaken(tx: Sql, payments: readonly PaymentRow[]): Promise<boolean> {
    const [payment] = payments;
    if (payment === undefined) return false;
    const found = await tx.query({
      text: `select from billing.payment where place > $5 and (network, asset, payer, nonce) = ($1, $2, $3, $4) limit 1`,
      values: [payment.network, payment.asset, payment.payer, payment.nonce, payment.place.toString()],
    });
    return found.length > 0;
  }

  /** Takes the fault from a refused entry and notes who did it; stores the payments that it tells of. */
  async readmit(tx: Sql, { row, entry }: CheckedRow, { by, reason, after }: Readmission): Promise<void> {
    await tx.query({
      text: `insert into billing.readmission (place, entry_id, after_place, at, by, reason, fault, fault_detail,
          after_invoice)
        select place, id, $2, $3, $4, $5, fault, fault_detail, (
            select i.id from billing.invoice i
            where e.usage_rail = 'key' and i.account = e.usage_account
              and i.period_start <= e.usage_occurred_at and i.period_end > e.usage_occurred_at
              and i.state not in ('draft', 'void'))
        from billing.entry e where place = $1`,
      values: [row.place, after.toString(), this.now(), by, reason],
    });
    await tx.query({
      text: 'update billing.entry set fault = null, fault_detail = null where place = $1',
      values: [row.place],
    });
    await this.#storePayments(tx, entry === null ? [] : paymentOf(entry));
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
const entryColumns = `${feedColumns}, fault, fault_detail`;
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
