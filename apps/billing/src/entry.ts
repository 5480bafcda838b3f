import type {
  FeedUsage,
  RefundDuePayload,
  ReversedPayload,
  SettlementPayload,
  TermsPayload,
  UnpaidPayload,
} from '@keyfare/core/log';
import type { ReceiptPayload } from '@keyfare/core/receipt';

interface Entry {
  readonly id: string;
  /** Its place in the order of the log: 1, 2, 3 and so on, without gaps. */
  readonly place: bigint;
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

/** A call that was served and will not be paid. With `call`, one on credit whose receipt was given before. */
export interface UnpaidEntry extends Entry {
  readonly kind: 'unpaid';
  readonly unpaid: UnpaidPayload;
}

/** The payment of a call that was served before has moved. */
export interface SettlementEntry extends Entry {
  readonly kind: 'settlement';
  readonly settlement: SettlementPayload;
}

/** Money that moved though nothing was served for it. */
export interface RefundDueEntry extends Entry {
  readonly kind: 'refund-due';
  readonly refund: RefundDuePayload;
}

/** A settlement that an earlier entry told of was dropped by the chain for good. */
export interface ReversedEntry extends Entry {
  readonly kind: 'reversed';
  readonly reversed: ReversedPayload;
}

/** An entry that was checked and found good: what it says may go into the books. */
export type GoodEntry = CallEntry | TermsEntry | UnpaidEntry | SettlementEntry | RefundDueEntry | ReversedEntry;

/** What can be wrong with an entry. Such an entry is kept, stays out of the books, and is a break. */
export type EntryFault =
  | 'receipt-invalid'
  | 'digest-mismatch'
  | 'receipt-missing'
  | 'usage-mismatch'
  | 'terms-missing'
  | 'call-mismatch'
  | 'account-ended';
