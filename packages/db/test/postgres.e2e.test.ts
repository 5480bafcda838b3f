import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, type TestDatabase } from '@keyfare/testing/database';
import { Listener } from '../src/node-local/listener.js';
import { bigints, booleans, bytes, rows, texts, times, uuids } from '../src/rows.js';
import { asProblem, DatabaseUnavailable, SqlPool } from '../src/sql.js';

const kill = async (url: string, name: string): Promise<void> => {
  await adminQuery(
    url,
    'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()',
    [name],
  );
};

/** The states of the connections of that name. */
async function running(url: string, name: string): Promise<readonly string[]> {
  const found = await adminQuery<{ state: string }>(
    url,
    'select state from pg_stat_activity where application_name = $1 and datname = current_database()',
    [name],
  );
  return found.map(({ state }) => state);
}

/** Waits, within a bound, for something that will happen. */
async function until(happened: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await happened()) && performance.now() < deadline) await new Promise((wake) => setTimeout(wake, 10));
}

describe('on a real PostgreSQL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
    await adminQuery(database.url, 'create table t (id integer primary key)');
  });
  afterAll(async () => {
    await database.drop();
  });

  it('a transaction is whole or not at all', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'whole' });
    const failing = sql.transaction(async (tx) => {
      await tx.query({ text: 'insert into t values (1)' });
      await tx.query({ text: 'insert into t values (1)' });
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await sql.query({ text: 'select * from t' })).toEqual([]);
    await sql.close();
  });

  it('a transaction that cannot be rolled back gives its own error, and its connection is not used again', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'stuck', poolSize: 1 });
    const backend = async (on: Pick<SqlPool, 'query'>): Promise<unknown> =>
      (await on.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' }))[0]?.pid;
    let first: unknown;
    const failing = sql.transaction(async (tx) => {
      first = await backend(tx);
      await kill(database.url, 'stuck');
      throw new Error('the work failed');
    });
    await expect(failing).rejects.toThrow('the work failed');
    expect(await backend(sql)).not.toBe(first);
    await sql.close();
  });

  it('a connection killed under a statement is unavailability in doubt; under a transaction before its commit it is not', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'doubt', poolSize: 1 });
    const sleeping = sql.query({ text: 'select pg_sleep(20)' }).catch((error: unknown) => error);
    await until(async () => (await running(database.url, 'doubt')).includes('active'));
    await kill(database.url, 'doubt');
    expect(await sleeping).toMatchObject({ name: 'DatabaseUnavailable', inDoubt: true });
    const broken = sql.transaction(async (tx) => {
      await tx.query({ text: 'insert into t values (2)' });
      await kill(database.url, 'doubt');
      await tx.query({ text: 'insert into t values (3)' });
    });
    await expect(broken).rejects.toMatchObject({ name: 'DatabaseUnavailable', inDoubt: false });
    expect(await sql.query({ text: 'select * from t' })).toEqual([]);
    await sql.close();
  });

  it('an idle connection that is killed ends nothing, and the next statement gets a new one', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'idle', poolSize: 1 });
    await sql.query({ text: 'select 1' });
    await sql.transaction(async (tx) => {
      await tx.query({ text: 'select 1' });
    });
    await kill(database.url, 'idle');
    await until(async () => (await running(database.url, 'idle')).length === 0);
    expect(await sql.query({ text: 'select 2 as two' })).toEqual([{ two: 2 }]);
    await sql.close();
  });

  it('a server that is not there is unavailability, not in doubt, and a 503 to the caller', async () => {
    const sql = new SqlPool({ url: 'postgres://x@127.0.0.1:9/x', applicationName: 'nowhere' });
    const error: unknown = await sql.query({ text: 'select 1' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DatabaseUnavailable);
    expect(error).toMatchObject({ inDoubt: false });
    expect(asProblem(error)).toMatchObject({ code: 'service/database-unavailable', status: 503 });
    const other = Object.assign(new Error('another socket'), { code: 'ECONNREFUSED' });
    expect(asProblem(other)).toBe(other);
    await sql.close();
  });

  it('rows arrive as they were given, nulls, empty lists and the ends of each type included', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'rows' });
    interface Item {
      id: string | null;
      name: string | null;
      raw: Buffer | null;
      units: bigint | null;
      at: Date | null;
      open: boolean | null;
    }
    const columns = rows<Item>({
      id: uuids((item) => item.id),
      name: texts((item) => item.name),
      raw: bytes((item) => item.raw),
      units: bigints((item) => item.units),
      at: times((item) => item.at),
      open: booleans((item) => item.open),
    });
    const statement = { name: 'rows', text: `select id, name, raw, units::text, at, open from ${columns.source()}` };
    const none: Item = { id: null, name: null, raw: null, units: null, at: null, open: null };
    const items: Item[] = [
      none,
      {
        id: '01939fa8-6c00-7000-8000-00000000ffff',
        name: 'Zoë 😀, "a"\\{}',
        raw: Buffer.from([0, 255]),
        units: 2n ** 63n - 1n,
        at: new Date('1969-12-31T23:59:59.999Z'),
        open: true,
      },
      {
        id: '00000000-0000-0000-0000-000000000000',
        name: '',
        raw: Buffer.alloc(0),
        units: -(2n ** 63n),
        at: new Date('2200-01-01T00:00:00Z'),
        open: false,
      },
    ];
    const asked = async (some: readonly Item[]) => sql.query({ ...statement, values: columns.values(some) });
    expect(await asked(items)).toEqual(
      items.map((item) => Object.assign({}, item, { units: item.units?.toString() ?? null })),
    );
    expect(await asked([])).toEqual([]);
    expect(() => columns.values([{ ...none, id: '01939fa8-6c00-7000-8000-00000000fffg' }])).toThrow(TypeError);
    expect(() => columns.values([{ ...none, units: 2n ** 63n }])).toThrow('out of range');
    await sql.close();
  });

  it('a listener hears, says so when it does not, and hears again', async () => {
    const heard: string[] = [];
    const states: boolean[] = [];
    const listener = new Listener({
      url: database.url,
      applicationName: 'ear',
      channels: ['news'],
      onNotification: (_channel, payload) => heard.push(payload),
      onState: (listening) => states.push(listening),
    });
    await listener.start();
    await adminQuery(database.url, `select pg_notify('news', 'one')`);
    await until(() => heard.length === 1);
    await kill(database.url, 'ear');
    await until(() => states.length === 3);
    expect(states).toEqual([true, false, true]);
    await adminQuery(database.url, `select pg_notify('news', 'two')`);
    await until(() => heard.length === 2);
    expect(heard).toEqual(['one', 'two']);
    await listener.close();
  });

  it('a listener takes no channel that is more than a name', () => {
    const settings = { url: '', applicationName: '', onNotification: () => undefined, onState: () => undefined };
    expect(() => new Listener({ ...settings, channels: ['a; drop table t'] })).toThrow(TypeError);
  });
});
