import type { FeedUsage, TermsPayload, UnpaidPayload } from '@keyfare/core/log';
import type { ReceiptPayload } from '@keyfare/core/receipt';

/** The place of an entry in the order of reading. */
export interface FeedPlace {
  readonly tx: bigint;
  readonly position: bigint;
}

interface Entry extends FeedPlace {
  readonly id: string;
}

/** A call whose receipt is genuine and agrees with its usage. */
export interface CallEntry extends Entry {
  readonly kind: 'call';
  readonly usage: FeedUsage;
  readonly receipt: ReceiptPayload;
}

/** Terms that apply from their `effectiveAt` on. */
export interface TermsEntry extends Entry {
  readonly kind: 'terms';
  readonly terms: TermsPayload;
}

/** A call that was served and will not be paid. */
export interface UnpaidEntry extends Entry {
  readonly kind: 'unpaid';
  readonly unpaid: UnpaidPayload;
}

/** An entry that was checked and found good: what it says may go into the books. */
export type GoodEntry = CallEntry | TermsEntry | UnpaidEntry;

/** What can be wrong with an entry. Such an entry is kept, stays out of the books, and is a break. */
export type EntryFault = 'receipt-invalid' | 'digest-mismatch' | 'receipt-missing' | 'usage-mismatch' | 'terms-missing';
