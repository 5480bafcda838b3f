import { hash } from 'node:crypto';
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
  | 'sweep'
  | 'other-service'
  | 'dust'
  | 'gas'
  | 'top-up'
  | 'opening'
  | 'write-off'
  | 'refund-due'
  | 'refund'
  | 'dropped'
  | 'restored'
  | 'resolution'
  | 'bank'
  | 'conversion'
  | 'invoice'
  | 'release'
  | 'payment'
  | 'credit-note'
  | 'bad-debt'
  | 'reversal';

/** One amount from one account to another that counts the same asset, in its smallest unit. */
export interface Movement {
  readonly debit: LedgerAccount;
  readonly credit: LedgerAccount;
  /** More than zero. */
  readonly amount: bigint;
}

/** One event in the books. */
export interface Journal {
  /** Follows from what the journal records, so that it cannot be written twice. */
  readonly id: string;
  readonly kind: JournalKind;
  /** What it records: `transfer:<transfer>`, `opening:<wallet>`, or an entry by its kind, such as `call:<entry>`. */
  readonly source: string;
  readonly occurredAt: Date;
  /** The journal that this one undoes. */
  readonly reverses: string | null;
  readonly movements: readonly Movement[];
}

interface Named {
  readonly kind: Exclude<JournalKind, 'reversal'>;
  readonly source: string;
  readonly occurredAt: Date;
  /** Which of several journals of this kind and source it is; 0 for the only or first one. */
  readonly nth?: number;
}

/** A journal of one movement. An amount that is not positive is a bug: RangeError. */
export function journalOf({ debit, credit, amount, ...named }: Named & Movement): Journal {
  return compoundJournal({ ...named, movements: [{ debit, credit, amount }] });
}

/** A journal of several movements, at least one. */
export function compoundJournal({
  kind,
  source,
  occurredAt,
  movements,
  nth = 0,
}: Named & Pick<Journal, 'movements'>): Journal {
  const id = deriveId(nth === 0 ? `${kind}:${source}` : `${kind}:${source}#${nth}`);
  const journal = { id, kind, source, occurredAt, reverses: null, movements };
  assertMovements(journal);
  return journal;
}

/** The journal that undoes `journal`, dated as it was. */
export function reversalOf(journal: Journal): Journal {
  return {
    id: deriveId(`reversal:${journal.id}`),
    kind: 'reversal',
    source: journal.source,
    occurredAt: journal.occurredAt,
    reverses: journal.id,
    movements: journal.movements.map(({ debit, credit, amount }) => ({ debit: credit, credit: debit, amount })),
  };
}

/** Throws a `RangeError` unless there are movements, each of a positive amount between two accounts of one asset. */
export function assertMovements({ source, movements }: Journal): void {
  if (movements.length === 0) throw new RangeError(`a journal must have a movement: ${source}`);
  for (const { debit, credit, amount } of movements) {
    if (amount <= 0n) throw new RangeError(`the amount of a journal must be positive: ${source}`);
    if (debit.asset !== credit.asset || debit.code === credit.code) {
      throw new RangeError(`a journal must move one asset between two accounts: ${source}`);
    }
  }
}

/**
 * What a journal says, as SHA-256: the same id with another digest is another journal under a name that is taken. It is
 * made of signed lines, as the books had them before they had movements, so that a digest of then still holds: debit
 * before credit, and in a reversal, which has the lines of the other journal with the other sign, credit before debit.
 */
export function digestOf({ kind, source, occurredAt, reverses, movements }: Journal): Buffer {
  const lines = movements.flatMap(({ debit, credit, amount }) => {
    const sides = [
      [debit.code, debit.asset, amount.toString()],
      [credit.code, credit.asset, (-amount).toString()],
    ];
    return reverses === null ? sides : sides.toReversed();
  });
  // Canonical JSON (RFC 8785): the members are in the order of their names.
  const content = { kind, occurredAt: occurredAt.toISOString(), postings: lines, reverses, source };
  return hash('sha256', JSON.stringify(content), 'buffer');
}
