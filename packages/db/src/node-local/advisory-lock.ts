import type { DataSource } from 'typeorm';
import type { Sql } from '../sql.js';

/** Names a lock that lasts as long as its transaction: a family of locks, and one of them. Both 32 bits. */
export interface TransactionLock {
  readonly family: number;
  readonly lock: number;
}

/**
 * Runs the work while this connection holds an advisory lock of the database: two processes with the same `lock` take
 * turns. The lock belongs to one Postgres node and to one session, so it is not for a pooler in transaction mode.
 */
export async function withAdvisoryLock<Result>(
  dataSource: DataSource,
  lock: number,
  work: (run: (statement: string) => Promise<unknown>) => Promise<Result>,
): Promise<Result> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    await runner.query('select pg_advisory_lock($1)', [lock]);
    return await work((statement) => runner.query(statement));
  } finally {
    await runner.query('select pg_advisory_unlock($1)', [lock]).catch(() => undefined);
    await runner.release();
  }
}

/** Takes the lock for the rest of the transaction, or says that another has it. */
export async function tryTransactionLock(tx: Sql, { family, lock }: TransactionLock): Promise<boolean> {
  const [row] = await tx.query<{ taken: boolean }>({
    text: 'select pg_try_advisory_xact_lock($1, $2) as taken',
    values: [family, lock],
  });
  return row?.taken === true;
}

/** Waits for the lock, and keeps it for the rest of the transaction. */
export async function awaitTransactionLock(tx: Sql, { family, lock }: TransactionLock): Promise<void> {
  await tx.query({ text: 'select pg_advisory_xact_lock($1, $2)', values: [family, lock] });
}
