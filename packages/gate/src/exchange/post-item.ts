import type { NewAnswer } from '../answer/stored-answer.js';
import type { CallUsage, EntryItem } from '../log/append.sql.js';
import type { PaidCall } from '../payment/call.js';

/** A served call by key, on its way into the books. */
export interface KeyCallPost extends EntryItem, CallUsage {
  readonly accountId: string;
  /** The name of the process under which the units were held: a post under a name that was swept is refused. */
  readonly writer: string;
}

/** A served free call. */
export interface FreeCallPost extends EntryItem, CallUsage {
  /** The wallet, or `anonymous`. */
  readonly principal: string;
}

/** A served and settled call. */
export interface PaidCallPost extends EntryItem, CallUsage {
  readonly accountId: string | null;
  readonly payer: string;
  readonly transaction: string;
}

/** A served call whose payment failed for good. */
export interface UnpaidCallPost extends EntryItem {
  readonly payer: string;
  readonly transaction: string | null;
  readonly failure: string;
}

/** A served call whose payment is collected later, or was before; with its answer, unless that is too large to keep. */
export interface ServedCallPost extends EntryItem, CallUsage {
  readonly answer: NewAnswer | null;
  readonly accountId: string | null;
  readonly payer: string;
  readonly call: PaidCall;
  readonly unusedAtBlock: bigint;
  readonly issuedAt: Date;
}

/** An entry on a payment whose call has an entry of its own, or none. */
export interface LaterPost extends EntryItem {
  readonly exchangeId: string;
  readonly payer: string;
  readonly issuedAt: Date;
  readonly transaction: string | null;
  readonly failure: string | null;
  /** The transaction that the chain dropped. */
  readonly dropped: string | null;
}
