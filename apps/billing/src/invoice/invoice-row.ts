import type { InvoiceEntity } from './invoice.entity.js';
import type { InvoiceLineEntity } from './invoice-line.entity.js';

export type InvoiceSummary = InvoiceEntity & {
  /** Of the period, by its time zone: `YYYY-MM-DD`. */
  readonly firstDay: string;
  readonly lastDay: string;
};
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
  readonly time_zone: string;
  /** Read as text, see `invoiceColumns`. */
  readonly first_day: string;
  readonly last_day: string;
  readonly total: string;
  readonly payable_cents: string;
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
  readonly terms: string;
  readonly digest: Buffer;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly attempt: number;
  readonly series: string | null;
  readonly sequence: string | null;
  readonly contract_id: string | null;
  readonly customer_id: string | null;
  readonly seller: InvoiceSummary['seller'];
  readonly customer: InvoiceSummary['customer'];
  readonly issued_at: Date | null;
  /** Read as text, see `invoiceColumns`. */
  readonly due_on: string | null;
  readonly subtotal_cents: string | null;
  readonly tax_cents: string | null;
  readonly tax_code: string | null;
  readonly tax_points: number | null;
  readonly tax_reason: string | null;
  readonly up_to_place: string | null;
  readonly first_place: string | null;
  readonly last_place: string | null;
  readonly entries_digest: Buffer | null;
  readonly document: string | null;
  readonly paid: string;
  readonly credited: string;
  readonly approved_digest: Buffer | null;
  readonly approved_by: string | null;
}

// A date has no time zone; the driver would read it as midnight of its own.
export const invoiceColumns = `i.*, i.due_on::text as due_on,
  (i.period_start at time zone i.time_zone)::date::text as first_day,
  ((i.period_end - interval '1 microsecond') at time zone i.time_zone)::date::text as last_day`;

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
    timeZone: row.time_zone,
    firstDay: row.first_day,
    lastDay: row.last_day,
    total: BigInt(row.total),
    payableCents: BigInt(row.payable_cents),
    receipts: BigInt(row.receipts),
    firstEntry: row.first_entry,
    lastEntry: row.last_entry,
    terms: BigInt(row.terms),
    digest: row.digest,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    attempt: row.attempt,
    series: row.series,
    sequence: bigintOf(row.sequence),
    contractId: row.contract_id,
    customerId: row.customer_id,
    seller: row.seller,
    customer: row.customer,
    issuedAt: row.issued_at,
    dueOn: row.due_on,
    subtotalCents: bigintOf(row.subtotal_cents),
    taxCents: bigintOf(row.tax_cents),
    taxCode: row.tax_code,
    taxPoints: row.tax_points,
    taxReason: row.tax_reason,
    upToPlace: bigintOf(row.up_to_place),
    firstPlace: bigintOf(row.first_place),
    lastPlace: bigintOf(row.last_place),
    entriesDigest: row.entries_digest,
    document: row.document,
    paid: BigInt(row.paid),
    credited: BigInt(row.credited),
    approvedDigest: row.approved_digest,
    approvedBy: row.approved_by,
  };
}

export function lineOf({ kind, description, sku, quantity, unitPrice, amount }: LineRow): InvoiceLineView {
  const [units, price, sum] = [BigInt(quantity), BigInt(unitPrice), BigInt(amount)];
  return { kind, description, sku, quantity: units, unitPrice: price, amount: sum };
}

function bigintOf(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}

const microsInCent = 10_000n;

/** What of a final invoice is still to be paid, in micro-dollars. */
export function outstandingOf({ payableCents, paid, credited }: InvoiceSummary): bigint {
  return payableCents * microsInCent - paid - credited;
}
