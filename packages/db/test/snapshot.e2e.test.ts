import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { inOneSnapshot } from '../src/node-local/snapshot.js';
import { type Sql, SqlPool } from '../src/sql.js';

let database: TestDatabase;
let pools: SqlPool[];
let other: SqlPool;

beforeAll(async () => {
  database = await createTestDatabase();
  pools = [];
  other = poolOf(1);
  await other.query({ text: 'create table thing (name text)' });
});
afterAll(async () => {
  for (const pool of pools) await pool.close();
  await database.drop();
});

function poolOf(poolSize: number): SqlPool {
  const pool = new SqlPool({ url: database.url, applicationName: 'readers', poolSize, connectTimeoutMs: 20_000 });
  pools.push(pool);
  return pool;
}

interface Seen {
  readonly pid: number;
  readonly things: number;
}

async function look(tx: Sql): Promise<Seen> {
  const [seen] = await tx.query<Seen>({
    text: `select pg_backend_pid() as pid, (select count(*)::int from thing) as things`,
  });
  if (seen === undefined) throw new Error('no row');
  return seen;
}

/** A gate that stays shut until it is opened. */
function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('a snapshot that is read over two connections', () => {
  it('is the same on both, whatever is committed meanwhile, and nothing can be written in it', async () => {
    const [begun, written] = [gate(), gate()];
    const both = inOneSnapshot(poolOf(2), async (read) =>
      Promise.all([
        read(async (tx) => {
          const before = await look(tx);
          // Goes on when the other task runs, which it does beside this one.
          await begun.opened;
          await other.query({ text: `insert into thing values ('late')` });
          written.open();
          return [before, await look(tx)];
        }),
        read(async (tx) => {
          begun.open();
          await written.opened;
          const seen = await look(tx);
          await expect(tx.query({ text: `insert into thing values ('never')` })).rejects.toMatchObject({
            code: '25006',
          });
          return [seen];
        }),
      ]),
    );
    const [[first, again], [second]] = await both;
    expect(again).toEqual(first);
    expect(second?.things).toBe(first?.things);
    expect(second?.pid).not.toBe(first?.pid);
    expect(await other.query({ text: 'select name from thing' })).toHaveLength(1);
  });

  it('is read over one where there is no second one, task after task', async () => {
    const pids = await inOneSnapshot(poolOf(1), async (read) =>
      Promise.all([1, 2, 3].map(async () => read(async (tx) => (await look(tx)).pid))),
    );
    expect(new Set(pids).size).toBe(1);
  });

  it('gives up what waits when a task fails, once what runs has ended, and gives both connections back', async () => {
    const pool = poolOf(2);
    const began: string[] = [];
    const [failing, running] = [gate(), gate()];
    let hasEnded = false;
    const work = inOneSnapshot(pool, async (read) =>
      Promise.all([
        read(async () => {
          await running.opened;
          failing.open();
          throw new Error('this check fails');
        }),
        read(async (tx) => {
          running.open();
          await failing.opened;
          await tx.query({ text: 'select pg_sleep(0.2)' });
          hasEnded = true;
        }),
        read(async () => {
          began.push('third');
        }),
      ]),
    );
    await expect(work).rejects.toThrow('this check fails');
    expect(hasEnded).toBe(true);
    expect(began).toEqual([]);
    expect(pool.state).toMatchObject({ busy: 0 });
    // Both are as good as new.
    const seen = await inOneSnapshot(pool, async (read) => Promise.all([read(look), read(look)]));
    expect(seen).toHaveLength(2);
  });

  it.each(['first', 'second'])(
    'keeps its %s connection while that waits for the other one, whatever the limit for what is idle',
    async (idle) => {
      const name = new URL(database.url).pathname.slice(1);
      await other.query({ text: `alter database "${name}" set idle_in_transaction_session_timeout = '4s'` });
      try {
        const long = gate();
        const pids = await inOneSnapshot(poolOf(2), async (read) => {
          const work = async (tx: Sql): Promise<void> => {
            long.open();
            await tx.query({ text: 'select pg_sleep(5)' });
          };
          const short = async (): Promise<void> => long.opened;
          await Promise.all((idle === 'first' ? [short, work] : [work, short]).map(async (task) => read(task)));
          return Promise.all([read(look), read(look)]);
        });
        expect(new Set(pids.map(({ pid }) => pid)).size).toBe(2);
      } finally {
        await other.query({ text: `alter database "${name}" reset idle_in_transaction_session_timeout` });
      }
    },
  );

  it('ends with the error of a connection that is lost', async () => {
    const work = inOneSnapshot(poolOf(2), async (read) =>
      read(async (tx) => {
        const { pid } = await look(tx);
        await other.query({ text: 'select pg_terminate_backend($1)', values: [pid] });
        return look(tx);
      }),
    );
    await expect(work).rejects.toThrow();
  });
});
