import type { Hex } from '@keyfare/core/encoding';
import type { TransactionOutcome } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import type { Movement, PaymentOutcome, Watch } from '../settling.js';
import type { Placed } from './submissions.js';

/** A payment in a settlement. */
export interface Item extends Watch {
  readonly movement: Movement;
  /** The transaction that moved it, as it was told. */
  transaction: Hex | null;
  /** Set while its own transaction is mined and did not move it. */
  open: { readonly mined: TransactionOutcome | null; lookAtMs: number; pauseMs: number; isTold: boolean } | undefined;
  /** It was sent once more by itself. */
  isSentAgain: boolean;
  readonly end: (outcome: PaymentOutcome) => void;
  readonly revert: (nothing: null) => void;
}

/** One nonce of the wallet: the transactions that were offered for it, and the payments that they move. */
export interface Slot {
  readonly nonce: number;
  readonly items: Map<string, Item>;
  transactions: readonly SignedTransaction[];
  sentAtMs: number;
  offeredAtMs: number;
  /** The node would not take the newest transaction. */
  refused: boolean;
  nonceTaken: boolean;
  /** To be looked at though no block came. */
  isDue: boolean;
  /** Looks without a verdict, one after the other, and when the next is due. */
  failures: number;
  notBeforeMs: number;
  /** Its transaction that is in a block, until the chain loses it. */
  mined: TransactionOutcome | undefined;
  /** The hash of the transaction that was last told as mined. */
  told: Hex | undefined;
  /** When its first transaction was stored, as far as this process knows. */
  readonly sinceMs: number;
}

/** Before every moment: what was sent then is due. */
export const never: number = Number.NEGATIVE_INFINITY;

/** A settlement that was just stored, or read from the database. */
export function newSlot({ nonce, transactions }: Placed): Slot {
  return {
    nonce,
    items: new Map(),
    transactions,
    sentAtMs: transactions.length === 0 ? performance.now() : never,
    offeredAtMs: performance.now(),
    refused: false,
    nonceTaken: false,
    isDue: false,
    failures: 0,
    notBeforeMs: never,
    mined: undefined,
    told: undefined,
    sinceMs: performance.now(),
  };
}

/** A payment whose end is not known, or one that is known to have been moved by `transaction`. */
export function newItem(movement: Movement, transaction: Hex | null): Item {
  const { promise: ended, resolve: end } = deferred<PaymentOutcome>();
  const { promise: reverted, resolve: revert } = deferred<null>();
  if (transaction !== null) end({ kind: 'settled', transaction });
  return { movement, transaction, open: undefined, isSentAgain: false, ended, end, reverted, revert };
}

/** A promise and what resolves it. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  const box: { resolve?: (value: T) => void } = {};
  const promise = new Promise<T>((resolve) => {
    box.resolve = resolve;
  });
  return { promise, resolve: (value) => box.resolve?.(value) };
}
