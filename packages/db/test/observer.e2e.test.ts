import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { DatabaseUnavailable, SqlPool } from '../src/sql.js';

/** A pool that notes what its observer hears. */
function observed(url: string, applicationName: string): { sql: SqlPool; heard: string[] } {
  const sql = new SqlPool({ url, applicationName, poolSize: 1 });
  const heard: string[] = [];
  sql.observe({
    began: (statement) => {
      heard.push(`began ${statement}`);
      return (outcome) => heard.push(`${statement} ${outcome}`);
    },
    connected: (waitedSeconds) => heard.push(waitedSeconds >= 0 ? 'connected' : 'nonsense'),
  });
  return { sql, heard };
}

describe('the observer of a pool', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => database.drop());

  it('hears of a statement by its name, when its connection was had, and when it has ended', async () => {
    const { sql, heard } = observed(database.url, 'names');
    await sql.query({ name: 'one', text: 'select 1' });
    await sql.query({ text: 'select 2' });
    expect(heard).toEqual(['connected', 'began one', 'one ok', 'connected', 'began unnamed', 'unnamed ok']);
    await sql.close();
  });

  it('hears the statements of a transaction and its commit, and no commit of one that was refused', async () => {
    const { sql, heard } = observed(database.url, 'transaction');
    await sql.transaction(async (tx) => tx.query({ name: 'within', text: 'select 1' }));
    expect(heard).toEqual(['connected', 'began within', 'within ok', 'began commit', 'commit ok']);
    heard.length = 0;
    const refused = sql.transaction(async (tx) => tx.query({ name: 'wrong', text: 'select 1 / 0' }));
    await expect(refused).rejects.toMatchObject({ code: '22012' });
    expect(heard).toEqual(['connected', 'began wrong', 'wrong failed']);
    await sql.close();
  });

  it('hears that the connection broke under a statement', async () => {
    const { sql, heard } = observed(database.url, 'broken');
    const broken = sql.query({ name: 'asleep', text: 'select pg_sleep(60)' }).catch((error: unknown) => error);
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'broken' and query like '%pg_sleep%'`;
    while ((await adminQuery(database.url, kill)).length === 0) await new Promise((turn) => setImmediate(turn));
    expect(await broken).toBeInstanceOf(DatabaseUnavailable);
    expect(heard.at(-1)).toBe('asleep lost');
    await sql.close();
  });

  it('finds the pool as it is: one connection that is busy, and who waits for it', async () => {
    const { sql } = observed(database.url, 'state');
    expect(sql.state).toEqual({ busy: 0, idle: 0, waiting: 0 });
    await sql.transaction(async (tx) => {
      await tx.query({ text: 'select 1' });
      const waiting = sql.query({ text: 'select 2' });
      expect(sql.state).toEqual({ busy: 1, idle: 0, waiting: 1 });
      void waiting.catch(() => undefined);
    });
    await sql.query({ text: 'select 3' });
    expect(sql.state).toEqual({ busy: 0, idle: 1, waiting: 0 });
    await sql.close();
  });
});
