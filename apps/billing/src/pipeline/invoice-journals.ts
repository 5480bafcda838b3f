import {
  adjustments,
  badDebt,
  commitRevenue,
  customerCredit,
  customerReceivable,
  deferredRevenue,
  type LedgerAccount,
  planRevenue,
  prepaid,
  rounding,
  taxPayable,
  unbilledReceivable,
} from '../ledger/chart.js';
import { type Journal, type JournalKind, journalOf } from '../ledger/journal.js';

const microsInCent = 10_000n;

/** A final invoice, as far as the ledger is concerned; amounts in micro-dollars where they do not say cents. */
export interface BookedInvoice {
  readonly id: string;
  readonly account: string;
  readonly customer: string;
  readonly usage: bigint;
  /** And commits. */
  readonly plans: bigint;
  /** What operators added, and below 0 what they took. */
  readonly adjusted: bigint;
  /** What is paid ahead by it, less what it draws on what was. */
  readonly ahead: bigint;
  readonly taxCode: string | null;
  readonly taxCents: bigint;
  readonly payableCents: bigint;
  readonly at: Date;
}

/** What becomes of what the account used, of the fees of plans, of tax, of what is rounded, and of adjustments. */
export function journalsOfInvoice(invoice: BookedInvoice): readonly Journal[] {
  const { id, account, customer, usage, plans, adjusted, ahead, taxCode, taxCents, payableCents, at } = invoice;
  const owed = customerReceivable(customer);
  const tax = taxCents * microsInCent;
  const rounded = payableCents * microsInCent - usage - plans - adjusted - ahead - tax;
  return moves({ kind: 'invoice', source: `invoice:${id}`, at }, [
    [owed, unbilledReceivable(account), usage],
    [owed, deferredRevenue(customer), plans],
    ...(taxCode === null ? [] : [[owed, taxPayable(taxCode), tax] as const]),
    [owed, rounding, rounded],
    [owed, adjustments, adjusted],
    [owed, prepaid(account), ahead],
  ]);
}

/** What a day earned of the fees of plans, and of a commit. */
export function journalsOfRelease(release: {
  readonly invoice: string;
  readonly customer: string;
  /** `2026-10-05`. */
  readonly day: string;
  /** `slug` is null of a commit. */
  readonly parts: readonly { readonly slug: string | null; readonly amount: bigint }[];
}): readonly Journal[] {
  const { invoice, customer, day, parts } = release;
  const at = new Date(Date.parse(`${day}T00:00:00Z`) + dayMs - 1);
  return moves(
    { kind: 'release', source: `release:${invoice}:${day}`, at },
    parts.map(({ slug, amount }) => {
      return [deferredRevenue(customer), slug === null ? commitRevenue : planRevenue(slug), amount];
    }),
  );
}

/** A payment of an invoice, out of the account that has the money. */
export function journalsOfPayment(payment: {
  readonly source: string;
  readonly invoice: string;
  readonly customer: string;
  readonly debit: LedgerAccount;
  readonly amount: bigint;
  readonly at: Date;
}): readonly Journal[] {
  const { source, invoice, customer, debit, amount, at } = payment;
  const named = { kind: 'payment', source: `payment:${source}:${invoice}`, at } as const;
  return moves(named, [[debit, customerReceivable(customer), amount]]);
}

/** What is not paid, and will not be. */
export function journalsOfBadDebt(debt: {
  readonly invoice: string;
  readonly customer: string;
  readonly amount: bigint;
  readonly at: Date;
}): readonly Journal[] {
  const { invoice, customer, amount, at } = debt;
  const named = { kind: 'bad-debt', source: `bad-debt:${invoice}`, at } as const;
  return moves(named, [[badDebt, customerReceivable(customer), amount]]);
}

/** What a credit note takes back; what of it was paid becomes the customer's credit. */
export function journalsOfCreditNote(note: {
  readonly id: string;
  readonly account: string;
  readonly customer: string;
  readonly amount: bigint;
  /** What of it was paid ahead, or below 0 drawn on that. */
  readonly ahead: bigint;
  readonly taxCode: string | null;
  readonly taxCents: bigint;
  readonly totalCents: bigint;
  readonly toCredit: bigint;
  readonly at: Date;
}): readonly Journal[] {
  const { id, account, customer, amount, ahead, taxCode, taxCents, totalCents, toCredit, at } = note;
  const owed = customerReceivable(customer);
  const tax = taxCents * microsInCent;
  return moves({ kind: 'credit-note', source: `credit-note:${id}`, at }, [
    [adjustments, owed, amount - ahead],
    ...(taxCode === null ? [] : [[taxPayable(taxCode), owed, tax] as const]),
    [rounding, owed, totalCents * microsInCent - amount - tax],
    [owed, customerCredit(customer), toCredit],
    [prepaid(account), owed, ahead],
  ]);
}

const dayMs = 86_400_000;

type Move = readonly [debit: LedgerAccount, credit: LedgerAccount, amount: bigint];

/** One journal for each that moves something; less than nothing moves the other way. */
function moves(
  { kind, source, at }: { readonly kind: Exclude<JournalKind, 'reversal'>; readonly source: string; readonly at: Date },
  all: readonly Move[],
): readonly Journal[] {
  return all.flatMap(([debit, credit, amount], nth) => {
    if (amount === 0n) return [];
    const common = { kind, source, occurredAt: at, nth };
    return amount > 0n
      ? [journalOf({ ...common, debit, credit, amount })]
      : [journalOf({ ...common, debit: credit, credit: debit, amount: -amount })];
  });
}
