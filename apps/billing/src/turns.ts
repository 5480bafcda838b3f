import { awaitTransactionLock, tryTransactionLock } from '@keyfare/db/advisory-lock';
import type { Sql } from '@keyfare/db/sql';

// The first key of every advisory lock of billing; the second says which. They are locks of one database.
const family = 0x6b66_6269;

/** Work that one process does at a time. */
export const turns = { intake: 1, chain: 2, books: 3, proofs: 4 } as const;

/** Takes the turn for the rest of the transaction, or says that another process has it. */
export async function tryTurn(tx: Sql, turn: (typeof turns)[keyof typeof turns]): Promise<boolean> {
  return tryTransactionLock(tx, { family, lock: turn });
}

/** Waits for the intake's turn, and keeps it for the rest of the transaction. Taken before that of the books. */
export async function awaitIntake(tx: Sql): Promise<void> {
  await awaitTransactionLock(tx, { family, lock: turns.intake });
}

/**
 * Waits for the turn to write to the books, and keeps it for the rest of the transaction. Intake looks for transfers
 * that were waiting for an entry, and the chain's writer for entries that were waiting for a transfer: if both wrote at
 * once, neither would see the other's row, and the two would never meet.
 */
export async function awaitBooks(tx: Sql): Promise<void> {
  await awaitTransactionLock(tx, { family, lock: turns.books });
}

/**
 * Waits for the turn to write what was proven, or to change it by rule, and keeps it for the rest of the transaction.
 * Taken after that of the books.
 */
export async function awaitProofs(tx: Sql): Promise<void> {
  await awaitTransactionLock(tx, { family, lock: turns.proofs });
}
