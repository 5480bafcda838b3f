import { formatMoney, money } from '@keyfare/core/money';
import { z } from 'zod';
import { formatCents } from './cents.js';
import { invoiceStates } from './invoice.entity.js';
import type { InvoicePayment } from './invoice.service.js';
import { type Invoice, type InvoiceLineView, type InvoiceSummary, outstandingOf } from './invoice-row.js';

const summary = z.object({
  id: z.string(),
  number: z.string().nullable(),
  state: z.enum(invoiceStates),
  /** Which invoice of the account's period it is: those before it are void. */
  attempt: z.number(),
  account: z.string(),
  accountName: z.string(),
  /** In which its period begins, by the days of its time zone. */
  month: z.string(),
  periodStart: z.iso.datetime(),
  periodEnd: z.iso.datetime(),
  /** Between whose midnights the period is; a name of the time zone database. */
  timeZone: z.string(),
  /** Of the period, by its time zone. */
  firstDay: z.iso.date(),
  lastDay: z.iso.date(),
  /** Whether the period is still running: more may come. */
  running: z.boolean(),
  /** Of a running period, up to when it says what is known. */
  asOf: z.iso.datetime().nullable(),
  currency: z.literal('USD'),
  /** With six decimals, exact. */
  total: z.string(),
  /** With two decimals: what is to be paid, of a final one with its tax. */
  payable: z.string(),
  /** Of a final one, with two decimals: the lines, and the tax on them. */
  subtotal: z.string().nullable(),
  tax: z.string().nullable(),
  taxCode: z.string().nullable(),
  /** In basis points. */
  taxRate: z.number().nullable(),
  taxReason: z.string().nullable(),
  issuedAt: z.iso.datetime().nullable(),
  dueOn: z.string().nullable(),
  customerId: z.string().nullable(),
  /** With six decimals: what was paid, what credit notes took off, and what is still to be paid of a final one. */
  paid: z.string(),
  credited: z.string(),
  outstanding: z.string().nullable(),
  receipts: z.string(),
  firstEntry: z.string().nullable(),
  lastEntry: z.string().nullable(),
  /** Of a final one: its entries by their places in the log, and SHA-256 over their ids with commas between them. */
  firstPlace: z.string().nullable(),
  lastPlace: z.string().nullable(),
  entriesDigest: z.string().nullable(),
  digest: z.string(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export const invoiceSummary = summary.meta({ id: 'InvoiceSummary' });
export const invoiceView = summary
  .extend({
    /** Both as they were when the invoice became final. */
    seller: z.record(z.string(), z.unknown()).nullable(),
    customer: z.record(z.string(), z.unknown()).nullable(),
    /** All that was frozen, as canonical JSON: `digest` is its SHA-256. */
    document: z.string().nullable(),
    lines: z.array(
      z.object({
        kind: z.enum(['included', 'overage', 'plan', 'commit', 'adjustment', 'prepaid']),
        description: z.string(),
        sku: z.string().nullable(),
        quantity: z.string(),
        unitPrice: z.string(),
        amount: z.string(),
      }),
    ),
  })
  .meta({ id: 'Invoice' });

/** Payments: `match:` is what a bank payment or a transfer brought, `customer-credit:` what credit did. */
export const invoicePayments = z
  .object({
    items: z.array(
      z.object({
        source: z.string(),
        /** The ledger account that the money came from. */
        from: z.string(),
        currency: z.literal('USD'),
        /** With six decimals. */
        amount: z.string(),
        appliedAt: z.iso.datetime(),
        undoneAt: z.iso.datetime().nullable().meta({ description: 'Null for one that was not taken back.' }),
        undoneBy: z.string().nullable(),
        why: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'InvoicePayments' });

export function viewPayment(payment: InvoicePayment): z.infer<typeof invoicePayments>['items'][number] {
  const { source, debit, amount, appliedAt, undoneAt, undoneBy, why } = payment;
  return {
    source,
    from: debit,
    currency: 'USD',
    amount: formatMoney(money('USD', BigInt(amount))),
    appliedAt: appliedAt.toISOString(),
    undoneAt: undoneAt?.toISOString() ?? null,
    undoneBy,
    why,
  };
}

/** An invoice with its lines, as operators see it. */
export function viewInvoice({ invoice, lines }: Invoice, now: Date): z.infer<typeof invoiceView> {
  const { seller, customer, document } = invoice;
  return { ...viewSummary(invoice, now), seller, customer, document, lines: lines.map(viewLine) };
}

function viewLine(line: InvoiceLineView): z.infer<typeof invoiceView>['lines'][number] {
  return {
    kind: line.kind,
    description: line.description,
    sku: line.sku,
    quantity: line.quantity.toString(),
    unitPrice: formatMoney(money('USD', line.unitPrice)),
    amount: formatMoney(money('USD', line.amount)),
  };
}

export function viewSummary(invoice: InvoiceSummary, now: Date): z.infer<typeof invoiceSummary> {
  const running = now < invoice.periodEnd;
  return {
    id: invoice.id,
    number: invoice.number,
    state: invoice.state,
    attempt: invoice.attempt,
    account: invoice.account,
    accountName: invoice.accountName,
    month: invoice.firstDay.slice(0, 7),
    periodStart: invoice.periodStart.toISOString(),
    periodEnd: invoice.periodEnd.toISOString(),
    timeZone: invoice.timeZone,
    firstDay: invoice.firstDay,
    lastDay: invoice.lastDay,
    running,
    asOf: running ? invoice.updatedAt.toISOString() : null,
    currency: 'USD',
    total: formatMoney(money('USD', invoice.total)),
    payable: formatCents(invoice.payableCents),
    subtotal: invoice.subtotalCents === null ? null : formatCents(invoice.subtotalCents),
    tax: invoice.taxCents === null ? null : formatCents(invoice.taxCents),
    taxCode: invoice.taxCode,
    taxRate: invoice.taxPoints,
    taxReason: invoice.taxReason,
    issuedAt: invoice.issuedAt?.toISOString() ?? null,
    dueOn: invoice.dueOn,
    customerId: invoice.customerId,
    paid: formatMoney(money('USD', invoice.paid)),
    credited: formatMoney(money('USD', invoice.credited)),
    outstanding: isOpen(invoice) ? formatMoney(money('USD', outstandingOf(invoice))) : null,
    receipts: invoice.receipts.toString(),
    firstEntry: invoice.firstEntry,
    lastEntry: invoice.lastEntry,
    firstPlace: invoice.firstPlace?.toString() ?? null,
    lastPlace: invoice.lastPlace?.toString() ?? null,
    entriesDigest: invoice.entriesDigest?.toString('hex') ?? null,
    digest: invoice.digest.toString('hex'),
    createdAt: invoice.createdAt.toISOString(),
    updatedAt: invoice.updatedAt.toISOString(),
  };
}

function isOpen({ state }: InvoiceSummary): boolean {
  return state === 'final' || state === 'partially_paid' || state === 'paid';
}
