import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { awaitTransactionLock, tryTransactionLock } from '../src/node-local/advisory-lock.js';
import { Listener } from '../src/node-local/listener.js';
import { notify } from '../src/node-local/notify.js';
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
  const deadline = performance.now() + 100_000;
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

  it('rows of any values arrive as they were given', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'any-rows' });
    interface Item {
      readonly id: string;
      readonly name: string | null;
      readonly units: bigint;
      readonly at: Date;
    }
    const columns = rows<Item>({
      id: uuids((item) => item.id),
      name: texts((item) => item.name),
      units: bigints((item) => item.units),
      at: times((item) => item.at),
    });
    // The ends of what a number holds exactly, and of 32 bits, have a code path on either side.
    const edge = fc
      .tuple(fc.constantFrom(0n, 2n ** 32n, -(2n ** 32n), 2n ** 53n, -(2n ** 53n)), fc.bigInt({ min: -2n, max: 2n }))
      .map(([base, beside]) => base + beside);
    const item = fc.record({
      id: fc.uuid(),
      name: fc.option(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', ''))),
      units: fc.oneof(edge, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      at: fc.date({
        min: new Date('1600-01-01T00:00:00Z'),
        max: new Date('9000-01-01T00:00:00Z'),
        noInvalidDate: true,
      }),
    });
    const text = `select id, name, units::text, extract(epoch from at)::numeric(20, 3)::text as at
      from ${columns.source()}`;
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 20 }), async (items) => {
        const found = await sql.query({ name: 'any-rows', text, values: columns.values(items) });
        const expected = items.map(({ id, name, units, at }) => {
          const seconds = (BigInt(at.getTime()) < 0n ? '-' : '') + (Math.abs(at.getTime()) / 1_000).toFixed(3);
          return { id, name, units: units.toString(), at: seconds };
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 100 },
    );
    await sql.close();
  });

  it('what is no UUID is refused, wherever it differs from one', () => {
    const columns = rows<string>({ id: uuids((id) => id) });
    const id = '01939fa8-6c00-7000-8000-00000000ffff';
    expect(columns.values([id])).toEqual(columns.values([id.toUpperCase()]));
    for (let at = 0; at < id.length; at += 1) {
      for (const wrong of ['g', 'é', '']) {
        expect(() => columns.values([id.slice(0, at) + wrong + id.slice(at + 1)])).toThrow(TypeError);
      }
      const other = id[at] === '-' ? '0' : '-';
      expect(() => columns.values([id.slice(0, at) + other + id.slice(at + 1)])).toThrow(TypeError);
    }
    expect(() => columns.values([`${id}0`])).toThrow(TypeError);
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
    const sql = new SqlPool({ url: database.url, applicationName: 'mouth' });
    // Again and again: what is announced while nobody listens is lost, and a slow machine may lose the listener.
    const hears = async (payload: string): Promise<void> =>
      until(async () => {
        await notify(sql, 'news', payload);
        await new Promise((wake) => setTimeout(wake, 20));
        return heard.at(-1) === payload;
      });
    await hears('one');
    const before = states.length;
    await kill(database.url, 'ear');
    await until(() => states.length >= before + 2 && listener.listening);
    expect(states.slice(before, before + 2)).toEqual([false, true]);
    await sql
      .transaction(async (tx) => {
        await notify(tx, 'news', 'never');
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await hears('two');
    expect([...new Set(heard)]).toEqual(['one', 'two']);
    await listener.close();
    await sql.close();
  });

  it('a lock of a transaction is had by one at a time, is waited for, and goes with its transaction', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'locks' });
    const [one, another] = [
      { family: 1, lock: 1 },
      { family: 1, lock: 2 },
    ];
    let waiting: Promise<string> | undefined;
    const order: string[] = [];
    await sql.transaction(async (tx) => {
      expect(await tryTransactionLock(tx, one)).toBe(true);
      expect(await sql.transaction((peer) => tryTransactionLock(peer, one))).toBe(false);
      expect(await sql.transaction((peer) => tryTransactionLock(peer, another))).toBe(true);
      waiting = sql.transaction(async (peer) => {
        await awaitTransactionLock(peer, one);
        order.push('the one that waited');
        return 'had';
      });
      const waits = `select 1 from pg_stat_activity
        where application_name = 'locks' and wait_event_type = 'Lock' and datname = current_database()`;
      await until(async () => (await adminQuery(database.url, waits)).length === 1);
      order.push('the one that had it');
    });
    expect(await waiting).toBe('had');
    expect(order).toEqual(['the one that had it', 'the one that waited']);
    await sql.close();
  });

  it('a listener takes no channel that is more than a name', () => {
    const settings = { url: '', applicationName: '', onNotification: () => undefined, onState: () => undefined };
    expect(() => new Listener({ ...settings, channels: ['a; drop table t'] })).toThrow(TypeError);
  });
});
