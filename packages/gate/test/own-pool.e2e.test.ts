import { fundedPayer } from '@keyfare/devstack/payers';
import { createTestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { Pool, type PoolConfig, types } from 'pg';
import { DataSource } from 'typeorm';
import { migrateGate } from '../src/database.js';
import { ConfigurationError, GateModule, type GateOptions } from '../src/module.js';
import { GateHealth } from '../src/services.js';
import { type Ground, openGround } from './gate-under-test.js';
import { type Host, issueKey, optionsOf, startHost } from './host-under-test.js';
import { call, rows, settled, signPayment, withKey } from './requests.js';

let ground: Ground;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  ground = await openGround();
}, 60_000);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(async () => {
  await ground.close();
});

function openPool(changes: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: ground.database.url, max: 4, application_name: 'the-host', ...changes });
  cleanups.push(async () => (pool.ended ? undefined : pool.end()));
  return pool;
}

async function start(changes: GateOptions): Promise<Host> {
  const { databaseUrl: _, ...options } = optionsOf(ground);
  const host = await startHost({ imports: [GateModule.forRoot({ ...options, ...changes })] });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await host.close();
  };
  cleanups.push(close);
  return { ...host, close };
}

const faultsOf = async (changes: GateOptions): Promise<readonly string[]> => {
  const error = await start(changes).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigurationError);
  return (error as ConfigurationError).faults;
};

describe('a pool of the host', () => {
  it('serves keys and payments, hears of revocations, and is open when the gate is closed', async () => {
    const pool = openPool();
    let lent = 0;
    pool.on('acquire', () => {
      lent += 1;
    });
    const host = await start({ pool });
    const secret = await issueKey(host);
    const before = lent;
    expect((await call(host, '/ping', withKey(secret))).status).toBe(200);
    expect(lent).toBeGreaterThan(before);
    const { v2 } = await signPayment(ground, await fundedPayer(ground.chain, 4_101));
    expect((await call(host, '/ping', { headers: v2 })).status).toBe(200);
    const health = host.app.get(GateHealth);
    expect(await settled(async () => (await health.readiness()).chain, 'up')).toBe('up');
    expect(await health.readiness()).toMatchObject({ database: 'up', listener: 'up', chain: 'up' });
    await host.close();
    expect(pool.ended).toBe(false);
    expect((await pool.query('select current_user as login, session_user as session')).rows).toEqual([
      { login: 'postgres', session: 'postgres' },
    ]);
    const open = async () =>
      (
        await rows<{ name: string }>(
          ground.database.url,
          "select distinct application_name as name from pg_stat_activity where datname = current_database() and application_name like 'keyfare%'",
        )
      ).length;
    expect(await settled(open, 0)).toBe(0);
  });

  it('may take a password from a function: the gate’s other connections are made with its options', async () => {
    const { hostname: host, port, username: user, password, pathname } = new URL(ground.database.url);
    let asked = 0;
    const pool = new Pool({
      host,
      port: Number(port),
      user,
      database: pathname.slice(1),
      password: () => {
        asked += 1;
        return decodeURIComponent(password);
      },
    });
    cleanups.push(async () => pool.end());
    const gate = await start({ pool });
    expect((await call(gate, '/ping', withKey(await issueKey(gate)))).status).toBe(200);
    const health = gate.app.get(GateHealth);
    expect(await settled(async () => (await health.readiness()).database, 'up')).toBe('up');
    expect(await health.readiness()).toMatchObject({ database: 'up', listener: 'up' });
    expect(asked).toBeGreaterThan(3);
  });

  it('of a TypeORM data source serves as well, and the data source stays initialized', async () => {
    const dataSource = new DataSource({ type: 'postgres', url: ground.database.url });
    expect(await faultsOf({ dataSource })).toEqual([
      'dataSource must be of PostgreSQL, and initialized: await its initialize() first',
    ]);
    await dataSource.initialize();
    cleanups.push(async () => dataSource.destroy());
    const host = await start({ dataSource });
    expect((await call(host, '/ping', withKey(await issueKey(host)))).status).toBe(200);
    await host.close();
    expect(await dataSource.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('that the host closes too early keeps the application from closing no longer than a database that is away', async () => {
    const pool = openPool();
    const host = await start({ pool });
    expect((await call(host, '/ping', withKey(await issueKey(host)))).status).toBe(200);
    await pool.end();
    await host.close();
    expect(pool.ended).toBe(true);
  });

  it('that is broken off in the middle answers 503 and the process goes on', async () => {
    const pool = openPool();
    const host = await start({ pool });
    const secret = await issueKey(host);
    await rows(
      ground.database.adminUrl,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'the-host'",
    );
    const statusOf = async () => (await call(host, '/ping', withKey(secret))).status;
    expect(await settled(statusOf, 200)).toBe(200);
  });

  it.each<[string, PoolConfig, string]>([
    [
      'reads a type in its own way',
      {
        types: {
          getTypeParser: (oid: typeof types.builtins.INT8, format: 'text') =>
            oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format),
        } as never,
      },
      'pool reads types of PostgreSQL in its own way: hand in one without type parsers',
    ],
    [
      'is read only',
      { options: '-c default_transaction_read_only=on' },
      'pool is read only: connect it to the primary',
    ],
    [
      'begins serializable transactions',
      { options: '-c default_transaction_isolation=serializable' },
      'pool begins transactions that are not read committed: leave the default',
    ],
  ])('is refused at the start when it %s', async (_what, changes, fault) => {
    expect(await faultsOf({ pool: openPool(changes), migrationDatabaseUrl: ground.database.url })).toEqual([fault]);
  });

  it('is refused at the start when it is closed, or its login has no rights', async () => {
    const closed = openPool();
    await closed.end();
    const migrationDatabaseUrl = ground.database.url;
    expect(await faultsOf({ pool: closed, migrationDatabaseUrl })).toEqual([
      'pool is closed: hand in one that is open',
    ]);
    const name = `no "friend" ${ground.database.name.slice(-12)}`;
    const login = `"${name.replaceAll('"', '""')}"`;
    await rows(ground.database.url, `create role ${login} login noinherit password 'pw'`);
    await rows(ground.database.url, `grant keyfare_gate to ${login}`);
    cleanups.push(async () => rows(ground.database.url, `drop role ${login}`));
    const url = new URL(ground.database.url);
    Object.assign(url, { username: encodeURIComponent(name), password: 'pw' });
    const pool = openPool({ connectionString: url.href });
    const [fault = '', ...more] = await faultsOf({ pool, migrationDatabaseUrl });
    expect([fault, more]).toEqual([expect.stringMatching(/^pool has no rights of keyfare_gate: run `/), []]);
    await rows(ground.database.url, /run `(.*)` as an administrator/.exec(fault)?.[1] ?? '');
    await start({ pool, migrationDatabaseUrl });
  });
});

describe('a gate that does not migrate', () => {
  it('is refused while the schema is behind, says what to run, and starts when that was run', async () => {
    const database = await createTestDatabase();
    cleanups.push(async () => database.drop());
    const login = `runner_${database.name.slice(-12)}`;
    const url = new URL(database.url);
    Object.assign(url, { username: login, password: 'pw' });
    await rows(database.url, `create role ${login} login password 'pw'`);
    cleanups.push(async () => rows(database.adminUrl, `drop role ${login}`));
    const options = { databaseUrl: url.href, migrate: false };
    const [fault = ''] = await faultsOf(options);
    expect(fault).toMatch(
      /^migrate is false, and the schema is behind by \d+ migrations, from CreateRoles\w+: run `keyfare migrate`, or migrateGate/,
    );
    await migrateGate(database.url);
    await rows(database.url, `grant keyfare_gate to ${login}`);
    const host = await start(options);
    expect((await call(host, '/ping', withKey(await issueKey(host)))).status).toBe(200);
    await host.close();
    await rows(
      database.url,
      `update keyfare.migration set name = 'x' where id = (select max(id) from keyfare.migration)`,
    );
    expect(await faultsOf(options)).toEqual([expect.stringContaining('the schema is behind by 1 migrations')]);
  });
});
