/** Every class of break. A class keeps its name for ever. */
export const breakClasses = [
  'receipt-invalid',
  'receipt-missing',
  'digest-mismatch',
  'usage-mismatch',
  'terms-missing',
  'call-mismatch',
  'account-ended',
  'terms-mismatch',
  'meter-mismatch',
  'units-over-limit',
  'entry-unposted',
  'posting-without-entry',
  'ledger-mismatch',
  'invoice-stale',
  'invoice-mismatch',
  'recorded-not-settled',
  'settled-not-recorded',
  'amount-mismatch',
  'duplicate-settlement',
  'match-mismatch',
  'deferred-overdue',
  'uncollectable',
  'refund-due',
  'unknown-inbound',
  'balance-mismatch',
  'intake-stalled',
  'chain-stalled',
  'chain-rewritten',
] as const;

export type BreakClass = (typeof breakClasses)[number];

/**
 * One comparison, as a query over the books. Each row is a difference: `class`, `subject` (what it is about, one text
 * for each), `keys` (the same for people), `asset` and `amount` (or nulls), `side` and `detail`. Nothing in a subject
 * or in a detail may change from run to run while the difference stays: it would be another break, or open a resolved
 * one again. Parameters begin at $3; $1 and $2 are the run and its time.
 */
export interface Check {
  /** Those that it looks for, and so whose breaks are over when it does not find them. */
  readonly classes: readonly BreakClass[];
  readonly text: string;
  readonly values: readonly unknown[];
}
