import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Listener } from '../src/node-local/listener.js';
import { notify } from '../src/node-local/notify.js';
import { SqlPool } from '../src/sql.js';

describe('behind pgbouncer in transaction mode', () => {
  let database: TestDatabase;
  let sql: SqlPool;

  beforeAll(async () => {
    database = await createTestDatabase();
    const { DATABASE_URL: url = '', DIRECT_DATABASE_URL: direct = url } = database.env;
    if (url === direct) throw new Error('KEYFARE_TEST_POOLER names no pooler');
    sql = new SqlPool({ url, applicationName: 'pooled', role: 'keyfare_gate', isPooled: true, poolSize: 16 });
  });
  afterAll(async () => {
    await sql.close();
    await database.drop();
  });

  it('statements of one name run at once on whichever server connection is free', async () => {
    const statement = { name: 'sum', text: 'select $1::integer + 1 as next, pg_backend_pid() as pid' };
    const asked = Array.from({ length: 200 }, (_, index) =>
      sql.query<{ next: number; pid: number }>({ ...statement, values: [index] }),
    );
    const rows = (await Promise.all(asked)).flat();
    expect(rows.map(({ next }) => next)).toEqual(asked.map((_, index) => index + 1));
    expect(new Set(rows.map(({ pid }) => pid)).size).toBeLessThanOrEqual(4);
  });

  it('a statement that takes longer than its pool allows is given up, and the next user of its connection is not hurried', async () => {
    const url = database.env['DATABASE_URL'] ?? '';
    const hurried = new SqlPool({
      url,
      applicationName: 'hurried',
      isPooled: true,
      poolSize: 8,
      statementTimeoutMs: 50,
    });
    try {
      const late = Array.from({ length: 8 }, () => hurried.query({ text: 'select pg_sleep(20)' }));
      for (const { reason } of (await Promise.allSettled(late)) as PromiseRejectedResult[]) {
        expect(reason).toMatchObject({ code: 'service/overloaded' });
      }
      const limits = await Promise.all(
        Array.from({ length: 50 }, () => sql.query({ text: `select current_setting('statement_timeout') as ms` })),
      );
      expect(new Set(limits.flat().map((row) => (row as { ms: string }).ms))).toEqual(new Set(['0']));
    } finally {
      await hurried.close();
    }
  });

  it('what is announced through the pooler is heard on a direct connection', async () => {
    const heard: string[] = [];
    const listener = new Listener({
      url: database.env['DIRECT_DATABASE_URL'] ?? '',
      applicationName: 'pooled-listener',
      channels: ['pooled'],
      onNotification: (_, payload) => void heard.push(payload),
      onState: () => undefined,
    });
    await listener.start();
    try {
      await sql.transaction(async (tx) => notify(tx, 'pooled', 'hello'));
      for (const deadline = Date.now() + 10_000; heard.length === 0 && Date.now() < deadline; ) {
        await new Promise((wake) => setTimeout(wake, 10));
      }
      expect(heard).toEqual(['hello']);
    } finally {
      await listener.close();
    }
  });
});
