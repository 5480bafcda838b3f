import type { InvoiceEntity } from './invoice.entity.js';
import type { InvoiceLineEntity } from './invoice-line.entity.js';

export type InvoiceSummary = InvoiceEntity;
export type InvoiceLineView = Omit<InvoiceLineEntity, 'invoiceId' | 'line'>;

/** An invoice with its lines. */
export interface Invoice {
  readonly invoice: InvoiceSummary;
  readonly lines: readonly InvoiceLineView[];
}

export interface InvoiceRow {
  readonly id: string;
  readonly number: string | null;
  readonly state: InvoiceSummary['state'];
  readonly account: string;
  readonly account_name: string;
  readonly period_start: Date;
  readonly period_end: Date;
  readonly total: string;
  readonly payable_cents: string;
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
  readonly terms: string;
  readonly digest: Buffer;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** A line as JSON made by the database, which keeps numbers exact by writing them as text. */
export interface LineRow {
  readonly kind: InvoiceLineView['kind'];
  readonly description: string;
  readonly sku: string | null;
  readonly quantity: string;
  readonly unitPrice: string;
  readonly amount: string;
}

export function invoiceOf(row: InvoiceRow): InvoiceSummary {
  return {
    id: row.id,
    number: row.number,
    state: row.state,
    account: row.account,
    accountName: row.account_name,
    periodStart: row.period_start,
    periodEnd: row.period_end,
    total: BigInt(row.total),
    payableCents: BigInt(row.payable_cents),
    receipts: BigInt(row.receipts),
    firstEntry: row.first_entry,
    lastEntry: row.last_entry,
    terms: BigInt(row.terms),
    digest: row.digest,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function lineOf({ kind, description, sku, quantity, unitPrice, amount }: LineRow): InvoiceLineView {
  const [units, price, sum] = [BigInt(quantity), BigInt(unitPrice), BigInt(amount)];
  return { kind, description, sku, quantity: units, unitPrice: price, amount: sum };
}
