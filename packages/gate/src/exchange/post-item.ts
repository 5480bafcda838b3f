import type { CallUsage, EntryItem } from '../log/append.sql.js';

/** A served call by key, on its way into the books. */
export interface KeyCallPost extends EntryItem, CallUsage {
  readonly accountId: string;
  /** The name of the process under which the units were held: a post under a name that was swept is refused. */
  readonly writer: string;
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
