import type { DataSource } from 'typeorm';

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
