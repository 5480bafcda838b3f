import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import type { CallEntry, EntryFault, FeedPlace, GoodEntry, UnpaidEntry } from '../entry.js';
import { clock } from '../tokens.js';
import type { FeedRow } from './feed.js';

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

  /** Stores rows as they were checked, with the payments that they tell of, within the caller's transaction. */
  async store(tx: Sql, checked: readonly CheckedRow[]): Promise<void> {
    if (checked.length === 0) return;
    const rows = checked.map(({ row }) => row);
    await tx.query({
      name: 'billing_store_entries',
      text: `insert into billing.entry (tx, position, id, kind, principal, digest, recorded_at, jws, usage_rail,
          usage_account, usage_payer, usage_sku, usage_units, usage_period_start, usage_occurred_at, fault,
          fault_detail, ingested_at)
        select t.*, $18 from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bytea[],
          $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
          $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[]) as t`,
      values: [
        rows.map((row) => row.tx),
        rows.map((row) => row.position),
        rows.map((row) => row.id),
        rows.map((row) => row.kind),
        rows.map((row) => row.principal),
        rows.map((row) => row.digest),
        rows.map((row) => row.recorded_at.toISOString()),
        rows.map((row) => row.jws),
        rows.map((row) => row.usage_rail),
        rows.map((row) => row.usage_account),
        rows.map((row) => row.usage_payer),
        rows.map((row) => row.usage_sku),
        rows.map((row) => row.usage_units),
        rows.map((row) => row.usage_period_start?.toISOString() ?? null),
        rows.map((row) => row.usage_occurred_at?.toISOString() ?? null),
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

  async #storePayments(tx: Sql, payments: readonly Payment[]): Promise<void> {
    if (payments.length === 0) return;
    await tx.query({
      name: 'billing_store_payments',
      text: `insert into billing.payment (entry_id, outcome, network, asset, payer, nonce, pay_to, amount, transaction,
          sku, resource_url, reason, issued_at, tx, position)
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
          $8::numeric[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::bigint[],
          $15::bigint[])`,
      values: [
        payments.map((payment) => payment.entryId),
        payments.map((payment) => payment.outcome),
        payments.map((payment) => payment.network),
        payments.map((payment) => payment.asset),
        payments.map((payment) => payment.payer),
        payments.map((payment) => payment.nonce),
        payments.map((payment) => payment.payTo),
        payments.map((payment) => payment.amount),
        payments.map((payment) => payment.transaction),
        payments.map((payment) => payment.sku),
        payments.map((payment) => payment.resourceUrl),
        payments.map((payment) => payment.reason),
        payments.map((payment) => new Date(payment.issuedAt * 1_000).toISOString()),
        payments.map((payment) => payment.tx.toString()),
        payments.map((payment) => payment.position.toString()),
      ],
    });
  }
}

interface Payment extends FeedPlace {
  readonly entryId: string;
  readonly outcome: 'settled' | 'unpaid';
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly payTo: string;
  readonly amount: string;
  readonly transaction: string | null;
  readonly sku: string;
  readonly resourceUrl: string;
  readonly reason: string | null;
  readonly issuedAt: number;
}

function paymentOf(entry: GoodEntry): readonly Payment[] {
  if (entry.kind === 'unpaid') return [unpaidPayment(entry)];
  return entry.kind === 'call' ? settledPayment(entry) : [];
}

function unpaidPayment({ id, tx, position, unpaid }: UnpaidEntry): Payment {
  const {
    network,
    asset,
    payer,
    nonce,
    payTo,
    amount,
    sku,
    resourceUrl,
    reason,
    issuedAt,
    transaction = null,
  } = unpaid;
  const key = { network, asset, payer, nonce, payTo, amount, transaction };
  return { entryId: id, outcome: 'unpaid', ...key, sku, resourceUrl, reason, issuedAt, tx, position };
}

function settledPayment({ id, tx, position, receipt }: CallEntry): readonly Payment[] {
  if (receipt.rail !== 'x402') return [];
  const { network, asset, payer, nonce, payTo, amount, transaction = null, sku, resourceUrl, issuedAt } = receipt;
  const key = { network, asset, payer, nonce, payTo, amount, transaction };
  return [{ entryId: id, outcome: 'settled', ...key, sku, resourceUrl, reason: null, issuedAt, tx, position }];
}
