import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { resolveGone } from '../src/reconcile/breaks.sql.js';
import { RunLost, RunStore } from '../src/reconcile/run-store.js';
import { type Service, settled, startService } from './service.js';
import { type Books, openBooks, openWorld, type World } from './world.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));

let world: World;
let books: Books;
let children: ChildProcess[];

beforeEach(async () => {
  world = await openWorld({ RECONCILE_WAIT_SECONDS: '0', JOB_LEASE_SECONDS: '1' });
  books = openBooks(world);
  children = [];
  for (const account of ['acct_1', 'acct_2']) await world.log.terms(account, { includedUnits: '0' });
  for (let call = 0; call < 4; call += 1) await world.log.keyCall('acct_1');
  await books.readAll();
}, 60_000);
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await books.close();
  await world.close();
});

/** A process of billing, as it is shipped. */
async function startProcess(): Promise<ChildProcess> {
  const port = await choosePort();
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'] ?? '', ...world.env, PORT: String(port), LOG_LEVEL: 'silent' },
    stdio: 'ignore',
  });
  children.push(child);
  const up = async (): Promise<number> =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ status }) => status,
      () => 0,
    );
  expect(await settled(up, 200)).toBe(200);
  return child;
}

interface RunRow {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly worker: string | null;
  readonly failure: string | null;
}

async function runRow(id: string): Promise<RunRow | undefined> {
  const [row] = await world.rows<RunRow>(
    'select id, state, attempts, worker, failure from billing.reconciliation_run where id = $1',
    [id],
  );
  return row;
}

/** How many sessions wait for the lock of a table. */
async function waiting(table: string): Promise<number> {
  const [row] = await world.rows<{ n: number }>(
    `select count(distinct pid)::int as n from pg_locks where not granted and relation = $1::regclass
      and database = (select oid from pg_database where datname = current_database())`,
    [table],
  );
  return row?.n ?? 0;
}

const store = (): RunStore => new RunStore(books.config, books.sql, world.clock);

async function ask(scope: 'recent' | 'full' = 'recent'): Promise<string> {
  return (await store().ask(world.sql, { scope, trigger: 'manual' })).id;
}

async function present(): Promise<readonly string[]> {
  const rows = await world.rows<{ class: string }>('select class from billing.break where present order by class');
  return rows.map(({ class: name }) => name);
}

/** Changes the books as nobody may: past the triggers and the grants. */
async function tamper(...statements: readonly string[]): Promise<void> {
  await world.sql.transaction(async (tx) => {
    await tx.query({ text: 'set local session_replication_role = replica' });
    for (const text of statements) await tx.query({ text });
  });
}

describe('a process that is lost inside a run', () => {
  it('by kill -9: another does the run after the lease, and it is kept once', async () => {
    const child = await startProcess();
    const id = await world.sql.transaction(async (tx) => {
      // It has read everything, and cannot write what it found.
      await tx.query({ text: 'lock table billing.break in share mode' });
      const asked = await ask();
      expect(await settled(async () => waiting('billing.break'), 1)).toBe(1);
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      return asked;
    });
    expect(await runRow(id)).toMatchObject({ state: 'running', attempts: 1 });
    const first = (await runRow(id))?.worker;
    const state = async (): Promise<string | undefined> => {
      await books.reconcileJob.step();
      return (await runRow(id))?.state;
    };
    expect(await settled(state, 'done')).toBe('done');
    const done = await runRow(id);
    expect(done).toMatchObject({ attempts: 2, failure: null });
    expect(done?.worker).not.toBe(first);
    expect(await world.rows('select id from billing.reconciliation')).toEqual([{ id }]);
  }, 60_000);

  it('and comes back when another has done it: it writes nothing', async () => {
    const child = await startProcess();
    const id = await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'lock table billing.control_total in access exclusive mode' });
      const asked = await ask();
      expect(await settled(async () => waiting('billing.control_total'), 1)).toBe(1);
      child.kill('SIGSTOP');
      return asked;
    });
    const first = (await runRow(id))?.worker;
    const state = async (): Promise<string | undefined> => {
      await books.reconcileJob.step();
      return (await runRow(id))?.state;
    };
    expect(await settled(state, 'done')).toBe('done');
    const done = await world.rows('select * from billing.reconciliation_run');
    const report = await world.rows('select * from billing.reconciliation');
    child.kill('SIGCONT');
    // The next run of the process that came back shows that it is through with the one that it lost.
    const next = await ask();
    expect(await settled(async () => (await runRow(next))?.state, 'done')).toBe('done');
    expect((await runRow(next))?.worker).toBe(first);
    expect(await world.rows('select * from billing.reconciliation_run where id = $1', [id])).toEqual(done);
    expect(await world.rows('select * from billing.reconciliation where id = $1', [id])).toEqual(report);
  }, 60_000);

  it('cannot show life, hold the run, or end it any more', async () => {
    const [lost, other] = [store(), store()];
    const id = await ask();
    expect(await lost.claim()).toMatchObject({ id });
    await world.rows(`update billing.reconciliation_run set beaten_at = now() + interval '1 hour'`);
    expect(await other.claim()).toBeNull();
    await world.rows(`update billing.reconciliation_run set beaten_at = now() - interval '2 seconds'`);
    expect(await other.claim()).toMatchObject({ id });
    await expect(lost.beat(id)).rejects.toBeInstanceOf(RunLost);
    await expect(lost.hold(books.sql, id)).rejects.toBeInstanceOf(RunLost);
    await lost.end(books.sql, id);
    await lost.release(id);
    expect(await runRow(id)).toMatchObject({ state: 'running', worker: other.worker, attempts: 2 });
  });

  it('three times: the run has failed, and the next one goes on', async () => {
    const id = await ask();
    for (let life = 0; life < 3; life += 1) {
      expect(await store().claim()).toMatchObject({ id });
      await world.rows(`update billing.reconciliation_run set beaten_at = now() - interval '2 seconds'`);
    }
    expect(await store().claim()).toBeNull();
    expect(await runRow(id)).toMatchObject({ state: 'failed', failure: 'its processes were lost' });
    expect((await books.reconcileJob.run('manual')).id).not.toBe(id);
  });

  it('after it wrote: the run is over without being done again', async () => {
    const { id } = await books.reconcileJob.run('manual');
    await world.rows(
      `update billing.reconciliation_run set state = 'running', finished_at = null, beaten_at = now() - interval '1 day'`,
    );
    await books.reconcileJob.step();
    expect(await runRow(id)).toMatchObject({ state: 'done', attempts: 2 });
    expect(await world.rows('select id from billing.reconciliation')).toEqual([{ id }]);
  });
});

describe('over HTTP', () => {
  let services: Service[];
  beforeEach(() => {
    services = [];
  });
  afterEach(async () => {
    await Promise.all(services.map(async (service) => service.close()));
  });

  async function start(): Promise<Service> {
    const service = await startService(world);
    services.push(service);
    return service;
  }

  it('who asks while one waits or goes on gets that one, whichever process is asked; a full one is another', async () => {
    const [first, second] = [await start(), await start()];
    const asked = await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'lock table billing.break in share mode' });
      const post = async (service: Service, body: object) => {
        const answer = await service.call('/reconciliations', { body });
        expect(answer.status).toBe(202);
        const { id } = answer.body as { id: string };
        expect(answer.headers.get('location')).toBe(`/reconciliations/${id}`);
        return id;
      };
      const recent = [await post(first, {}), await post(second, { scope: 'recent' })];
      expect(await settled(async () => waiting('billing.break'), 1)).toBe(1);
      const full = [await post(second, { scope: 'full' }), await post(first, { scope: 'full' })];
      // What reads everything will do for who asked for less, when it begins; the one that goes on comes first.
      const again = await post(first, {});
      return { recent, full, again };
    });
    expect(new Set(asked.recent).size).toBe(1);
    expect(new Set(asked.full).size).toBe(1);
    expect(asked.full[0]).not.toBe(asked.recent[0]);
    expect(asked.again).toBe(asked.recent[0]);
    const state = async (): Promise<string> =>
      ((await second.call(`/reconciliations/${asked.full[0] ?? ''}`)).body as { state: string }).state;
    expect(await settled(state, 'done')).toBe('done');
    const { body } = await first.call('/reconciliations');
    // Asked for at one moment of the clock, so their order is that of their ids.
    const items = (body as { items: { scope: string }[] }).items.toSorted((a, b) => (a.scope < b.scope ? -1 : 1));
    expect(items).toMatchObject([
      { id: asked.full[0], scope: 'full', state: 'done' },
      { id: asked.recent[0], scope: 'recent', state: 'done' },
    ]);
  }, 60_000);

  it('one that waits can be cancelled, and then nothing is kept of it', async () => {
    const service = await start();
    const id = await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'lock table billing.control_total in access exclusive mode' });
      const { id: asked } = (await service.call('/reconciliations', { body: {} })).body as { id: string };
      expect(await settled(async () => waiting('billing.control_total'), 1)).toBe(1);
      const { status, body } = await service.call(`/reconciliations/${asked}/cancel`, { method: 'POST' });
      expect([status, body]).toMatchObject([200, { id: asked, state: 'failed' }]);
      return asked;
    });
    const { body } = await service.reconcile();
    expect(body).toMatchObject({ state: 'done' });
    expect(await world.rows('select 1 from billing.reconciliation where id = $1', [id])).toEqual([]);
    expect((await service.call(`/reconciliations/${id}`)).body).toMatchObject({
      state: 'failed',
      failure: 'an operator cancelled it',
    });
    const again = await service.call(`/reconciliations/${id}/cancel`, { method: 'POST' });
    expect(again.body).toMatchObject({ state: 'failed' });
    const done = await service.call(`/reconciliations/${(body as { id: string }).id}/cancel`, { method: 'POST' });
    expect(done.body).toMatchObject({ state: 'done' });
  }, 60_000);
});

describe('a check with a window', () => {
  it('closes only breaks of which the place is in it, and only its own', async () => {
    await world.rows(`insert into billing.break (id, class, keys, side, detail, status, history, first_seen, last_seen,
        present, run_id, check_name, place)
      select name || place, 'digest-mismatch', '{}', 'receipt', 'one', 'open', '[]', now(), now(), true,
        gen_random_uuid(), name, place
      from unnest(array['copies', 'other']) as name, generate_series(1, 9) as place`);
    const run = '00000000-0000-8000-8000-000000000001';
    await world.rows(resolveGone, [run, new Date(), 'copies', ['2', '7'], ['4', '8'], ['digest-mismatch'], null, null]);
    expect(await world.rows('select id from billing.break where not present order by id')).toEqual([
      { id: 'copies3' },
      { id: 'copies4' },
      { id: 'copies8' },
    ]);
    await world.rows(resolveGone, [run, new Date(), 'copies', null, null, ['digest-mismatch'], null, null]);
    expect(await world.rows('select check_name from billing.break where present group by 1')).toEqual([
      { check_name: 'other' },
    ]);
  });
});

describe('what was proven', () => {
  beforeEach(async () => {
    await books.reconcileJob.run('schedule');
  });

  it('has totals: of entries, charges, payments and terms', async () => {
    expect(await world.rows('select check_name, count::int from billing.control_total order by 1')).toEqual([
      { check_name: 'charge', count: 4 },
      { check_name: 'entry', count: 6 },
      { check_name: 'payment', count: 0 },
      { check_name: 'terms', count: 2 },
    ]);
    expect(await present()).toEqual([]);
  });

  it('is not read again, while what is new is', async () => {
    await tamper(`update billing.entry set jws = overlay(jws placing 'A' from length(jws)) where place = 3`);
    const id = await world.log.keyCall('acct_2');
    await books.readAll();
    await tamper(`update billing.entry set jws = jws || 'x' where id = '${id}'`);
    await books.reconcileJob.run('manual');
    expect(await world.rows('select class, keys from billing.break where present')).toMatchObject([
      { class: 'digest-mismatch', keys: { entry: id } },
    ]);
  });

  it.each([
    ['changed', `update billing.charge set sku = 'other' where place = 4`, 'charge'],
    ['removed', `delete from billing.charge where place = 4`, 'charge'],
    [
      'added',
      `insert into billing.charge select (jsonb_populate_record(c, jsonb_build_object('entry_id', gen_random_uuid(),
        'place', 2))).* from billing.charge c where place = 4`,
      'charge',
    ],
    ['changed terms', `update billing.terms set included_units = 7 where place = 1`, 'terms'],
  ])(
    'is history-changed when a row is %s, and is so no longer when it is as it was',
    async (_what, statement, table) => {
      await world.rows(`create table kept as select * from billing.${table}`);
      await tamper(statement);
      const { report } = await books.reconcileJob.run('manual');
      expect(await world.rows(`select keys from billing.break where present and class = 'history-changed'`)).toEqual([
        { keys: { table, after: '0', upto: '6' } },
      ]);
      expect(report.breaks.map(({ class: name }) => name)).toContain('history-changed');
      // The places where something was found are looked at again until it is gone.
      await tamper(`delete from billing.${table}`, `insert into billing.${table} select * from kept`);
      await books.reconcileJob.run('manual');
      expect(await present()).toEqual([]);
    },
  );

  it('and was relabelled everywhere at once is found by its totals, and by a full run against what was signed', async () => {
    await tamper(
      `update billing.charge set sku = 'other' where place = 4`,
      `update billing.entry set usage_sku = 'other' where place = 4`,
    );
    await books.reconcileJob.run('manual');
    expect(await present()).toContain('history-changed');
    await tamper('delete from billing.control_total', `delete from billing.break`);
    await books.reconcileJob.run('manual', 'full');
    expect(await present()).toContain('ledger-mismatch');
    expect(await present()).not.toContain('history-changed');
  });

  it('is read again in its turn, with the signatures: a document of the same length that nobody signed', async () => {
    await tamper(
      `update billing.entry set jws = left(jws, -8) || case right(jws, 8) when 'AAAAAAAA' then 'BBBBBBBB' else 'AAAAAAAA' end
        where place = 3`,
    );
    await books.reconcileJob.run('manual');
    expect(await present()).toEqual([]);
    const all = openBooks(world, { env: { PROOF_ROTATION_NIGHTS: '1' } });
    await all.reconcileJob.run('schedule');
    await all.close();
    expect(await present()).toEqual(['digest-mismatch', 'receipt-invalid']);
  });

  it('has its turn once in so many nights, the longest unread first', async () => {
    const read = async (): Promise<Date | undefined> =>
      (await world.rows<{ at: Date }>('select min(read_at) as at from billing.control_total'))[0]?.at;
    for (let night = 0; night < 3; night += 1) {
      await world.log.keyCall('acct_1');
      await books.readAll();
      world.clock.advance(1_000);
      await books.reconcileJob.run('schedule');
      // Of two stretches or more a thirtieth is one.
      const rows = await world.rows<{ n: number }>(
        'select count(distinct last_at)::int as n from billing.control_total where read_at = (select max(read_at) from billing.control_total)',
      );
      expect(rows).toEqual([{ n: 2 }]);
    }
    expect(await read()).toBeDefined();
  });
});
