import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { deriveId } from '../derive-id.js';
import type { LedgerAccount } from './chart.js';

/** Why a journal was written. */
export type JournalKind =
  | 'call'
  | 'settlement'
  | 'collection'
  | 'unidentified'
  | 'identification'
  | 'withdrawal'
  | 'opening'
  | 'write-off'
  | 'refund-due'
  | 'dropped'
  | 'restored'
  | 'resolution'
  | 'invoice'
  | 'release'
  | 'payment'
  | 'credit-note'
  | 'bad-debt'
  | 'reversal';

/** One line: a debit when `amount` is positive, a credit when it is negative, in the account's smallest unit. */
export interface Posting {
  readonly account: LedgerAccount;
  readonly amount: bigint;
}

/** One event in the books. Its postings sum to zero in each asset. */
export interface Journal {
  /** Follows from what the journal records, so that it cannot be written twice. */
  readonly id: string;
  readonly kind: JournalKind;
  /** What it records: `transfer:<transfer>`, `opening:<wallet>`, or an entry by its kind, such as `call:<entry>`. */
  readonly source: string;
  readonly occurredAt: Date;
  /** The journal that this one undoes. */
  readonly reverses: string | null;
  readonly postings: readonly Posting[];
}

interface Movement {
  readonly kind: Exclude<JournalKind, 'reversal'>;
  readonly source: string;
  readonly occurredAt: Date;
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
  /** More than zero. */
  readonly amount: bigint;
  /** Which of several journals of this kind and source it is; 0 for the only or first one. */
  readonly nth?: number;
}

/** A journal of one debit and one credit. An amount that is not positive is a bug: RangeError. */
export function journalOf({ kind, source, occurredAt, debit, credit, amount, nth = 0 }: Movement): Journal {
  if (amount <= 0n) throw new RangeError(`the amount of a journal must be positive: ${source}`);
  return {
    id: deriveId(nth === 0 ? `${kind}:${source}` : `${kind}:${source}#${nth}`),
    kind,
    source,
    occurredAt,
    reverses: null,
    postings: [
      { account: debit, amount },
      { account: credit, amount: -amount },
    ],
  };
}

/** The journal that undoes `journal`, dated as it was. */
export function reversalOf(journal: Journal): Journal {
  return {
    id: deriveId(`reversal:${journal.id}`),
    kind: 'reversal',
    source: journal.source,
    occurredAt: journal.occurredAt,
    reverses: journal.id,
    postings: journal.postings.map(({ account, amount }) => ({ account, amount: -amount })),
  };
}

/** Throws a `RangeError` unless the postings sum to zero in each asset and none of them is zero. */
export function assertBalanced({ id, postings }: Journal): void {
  const sums = new Map<string, bigint>();
  for (const { account, amount } of postings) {
    if (amount === 0n) throw new RangeError(`journal ${id} has a posting of zero`);
    sums.set(account.asset, (sums.get(account.asset) ?? 0n) + amount);
  }
  const balanced = postings.length > 0 && [...sums.values()].every((sum) => sum === 0n);
  if (!balanced) throw new RangeError(`journal ${id} does not balance`);
}

/** What a journal says, as SHA-256: the same id with another digest is another journal under a name that is taken. */
export function digestOf({ kind, source, occurredAt, reverses, postings }: Journal): Buffer {
  const lines = postings.map(({ account, amount }) => [account.code, account.asset, amount.toString()]);
  const content = canonicalJson({ kind, source, occurredAt: occurredAt.toISOString(), reverses, postings: lines });
  return createHash('sha256').update(content).digest();
}
