import { randomBytes } from 'node:crypto';
import { schemaDrift } from '@keyfare/db/migrations';
import { errorCode, SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, patience } from '@keyfare/devstack/test-database';
import { migrateGate } from '@keyfare/gate/database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateBilling, ownerDataSource, pendingBillingMigrations } from '../src/database.js';
import { billingRole, feedReaderRole } from '../src/schema.js';
import { openWorld, type World } from './world.js';

const migrationCount = 44;
const uuid = '00000000-0000-8000-8000-000000000001';
let world: World;
const pools: SqlPool[] = [];

beforeAll(async () => {
  world = await openWorld();
}, 60_000);
afterAll(async () => {
  await Promise.all(pools.map(async (pool) => pool.close()));
  await world.close();
});

function poolAs(role?: string, url = world.database.url): SqlPool {
  const pool = new SqlPool({
    ...patience,
    url,
    applicationName: 'test',
    ...(role !== undefined && { role }),
    poolSize: 1,
  });
  pools.push(pool);
  return pool;
}

/** The SQLSTATE that a statement is refused with. */
async function refusal(sql: SqlPool, text: string): Promise<string | undefined> {
  return sql.query({ text }).then(
    () => undefined,
    (error: unknown) => errorCode(error),
  );
}

describe('the schema', () => {
  it('is what the entities say: the schema builder has nothing left to do', async () => {
    const dataSource = await ownerDataSource(world.database.url).initialize();
    try {
      expect(await schemaDrift(dataSource)).toEqual([]);
    } finally {
      await dataSource.destroy();
    }
  });

  it('is brought up by several processes at once, each migration once', async () => {
    const database = await createTestDatabase();
    try {
      const ran = await Promise.all([1, 2, 3].map(async () => migrateBilling(database.url)));
      expect(ran.flat()).toHaveLength(migrationCount);
      expect(await migrateBilling(database.url)).toEqual([]);
    } finally {
      await database.drop();
    }
  }, 60_000);

  it('is brought up by a login without CREATEROLE that runs billing itself, as npm start has it', async () => {
    const database = await createTestDatabase();
    const admin = poolAs(undefined, database.url);
    const login = `login_${randomBytes(6).toString('hex')}`;
    try {
      await migrateGate(database.url);
      await admin.query({ text: `create role ${login} login password 'secret'` });
      await admin.query({ text: `grant ${feedReaderRole}, ${billingRole} to ${login}` });
      await admin.query({ text: `grant create on database ${database.name} to ${login}` });
      const url = new URL(database.url);
      url.username = login;
      url.password = 'secret';
      expect(await migrateBilling(url.href)).toHaveLength(migrationCount);
      const own = poolAs(billingRole, url.href);
      await own.query({ text: 'select * from billing.entry' });
      await poolAs(feedReaderRole, url.href).query({ text: 'select * from keyfare.entry_feed' });
      expect(await pendingBillingMigrations(url.href)).toEqual([]);
    } finally {
      await Promise.all(pools.splice(pools.indexOf(admin)).map(async (pool) => pool.close()));
      await database.drop();
      await poolAs().query({ text: `drop role ${login}` });
    }
  }, 60_000);
});

describe('a login that runs billing and may not migrate', () => {
  it('starts while nothing is pending, and is told the statement that it needs when the jobs are not laid out', async () => {
    const database = await createTestDatabase();
    const admin = poolAs(undefined, database.url);
    const login = `login_${randomBytes(6).toString('hex')}`;
    try {
      await migrateBilling(database.url);
      await admin.query({ text: `create role ${login} login password 'secret'` });
      await admin.query({ text: `grant ${billingRole} to ${login}` });
      const url = new URL(database.url);
      url.username = login;
      url.password = 'secret';
      expect(await migrateBilling(url.href)).toEqual([]);
      await admin.query({ text: `delete from billing_jobs.schedule where name = 'drafts'` });
      expect(await pendingBillingMigrations(url.href)).toEqual(['billing_jobs']);
      await expect(migrateBilling(url.href)).rejects.toMatchObject({
        name: 'MissingRights',
        sentences: [
          expect.stringContaining(`run \`grant create on database ${database.name} to ${login};\` as an administrator`),
          expect.stringContaining('The schema billing_jobs, or a part of it, belongs to postgres'),
        ],
      });
    } finally {
      await Promise.all(pools.splice(pools.indexOf(admin)).map(async (pool) => pool.close()));
      await database.drop();
      await poolAs().query({ text: `drop role ${login}` });
    }
  }, 60_000);
});

describe('the role that reads the API', () => {
  it('can read the five feed views, and nothing else of the API or of the books', async () => {
    const relations = await world.rows<{ name: string; readable: boolean; writable: boolean }>(
      `select format('%s.%s', n.nspname, c.relname) as name,
          has_table_privilege($1, c.oid, 'select') and has_schema_privilege($1, n.oid, 'usage') as readable,
          has_table_privilege($1, c.oid, 'insert, update, delete, truncate') as writable
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('keyfare', 'billing', 'billing_jobs') and c.relkind in ('r', 'v', 'm', 'p', 'f')`,
      [feedReaderRole],
    );
    expect(relations.length).toBeGreaterThan(30);
    const readable = relations.filter((relation) => relation.readable).map(({ name }) => name);
    expect(readable.toSorted()).toEqual([
      'keyfare.account_feed',
      'keyfare.entry_feed',
      'keyfare.log_head',
      'keyfare.meter_feed',
      'keyfare.operator_feed',
    ]);
    expect(relations.filter(({ writable }) => writable)).toEqual([]);
  });

  it('is refused by PostgreSQL when it tries', async () => {
    const reader = poolAs(feedReaderRole);
    for (const view of ['entry_feed', 'log_head', 'meter_feed', 'account_feed', 'operator_feed']) {
      await reader.query({ text: `select * from keyfare.${view}` });
    }
    for (const table of ['entry', 'placed', 'sequencer', 'account', 'api_key_secret', 'payment', 'operator', 'audit']) {
      expect(await refusal(reader, `select * from keyfare.${table}`)).toBe('42501');
    }
    expect(await refusal(reader, 'select * from billing.entry')).toBe('42501');
    expect(await refusal(reader, 'delete from keyfare.entry_feed')).toMatch(/42501|55000/);
  });
});

describe('the books', () => {
  const appendOnly = [
    'entry',
    'readmission',
    'payment',
    'receipt_key',
    'readmission',
    'terms',
    'charge',
    'ledger_account',
    'journal',
    'asset',
    'movement',
    'reconciliation',
    'audit',
  ];

  it('cannot be changed or emptied by the running program', async () => {
    const own = poolAs(billingRole);
    for (const table of appendOnly) {
      expect(await refusal(own, `delete from billing.${table}`)).toBe('42501');
      expect(await refusal(own, `truncate billing.${table} cascade`)).toBe('42501');
      expect(await refusal(own, `update billing.${table} set ${await firstColumn(table)} = null`)).toBe('42501');
    }
    expect(await refusal(own, 'delete from billing.chain_transfer')).toBe('42501');
    expect(await refusal(own, 'update billing.chain_transfer set value = 0')).toBe('42501');
  });

  it('cannot be changed or emptied by their owner either', async () => {
    const owner = poolAs();
    for (const table of appendOnly) {
      expect(await refusal(owner, `delete from billing.${table}`)).toBe('KF002');
      expect(await refusal(owner, `truncate billing.${table} cascade`)).toBe('KF002');
      expect(await refusal(owner, `update billing.${table} set ${await firstColumn(table)} = null`)).toBe('KF002');
    }
  });

  it('take no transfer back: it may be orphaned once, and nothing else of it changes', async () => {
    const owner = poolAs();
    await owner.query({
      text: `insert into billing.chain_transfer (id, watch, network, asset, pay_to, from_address, to_address, value,
          block_number, block_hash, block_time, transaction, log_index, sender, seen_at)
        values ($1, 'w', 'n', 'a', 'p', 'f', 'p', 1, 1, 'h', now(), 't', 0, 's', now())`,
      values: [uuid],
    });
    expect(await refusal(owner, 'update billing.chain_transfer set value = 2')).toBe('KF002');
    expect(await refusal(owner, 'delete from billing.chain_transfer')).toBe('KF002');
    const own = poolAs(billingRole);
    await own.query({ text: 'update billing.chain_transfer set orphaned_at = now()' });
    expect(await refusal(own, 'update billing.chain_transfer set orphaned_at = null')).toBe('KF002');
    expect(await refusal(own, 'update billing.chain_transfer set orphaned_at = now()')).toBe('KF002');
  });

  async function firstColumn(table: string): Promise<string> {
    const [row] = await world.rows<{ name: string }>(
      `select column_name as name from information_schema.columns where table_schema = 'billing' and table_name = $1
        and is_identity = 'NO' order by ordinal_position limit 1`,
      [table],
    );
    return row?.name ?? '';
  }
});

describe('the ledger', () => {
  const journal = (id: string, movements = 1, effectiveAt = 'now()'): string =>
    `insert into billing.journal (id, kind, source, occurred_at, effective_at, movements, digest)
      values ('${id}', 'call', 'call:x', now(), ${effectiveAt}, ${movements}, '\\x00')`;
  const movement = (id: string, line: number, credit = 'sales', amount = 5, effectiveAt = 'now()'): string =>
    `insert into billing.movement values ('${id}', ${line}, 'cash', '${credit}', 'USDC', ${amount}, ${effectiveAt})`;
  /** Both by one statement. */
  const whole = (head: string, ...lines: readonly string[]): string =>
    `with written as (${head})${lines.map((line, nth) => `, line_${nth} as (${line})`).join('')} select 1`;

  beforeAll(async () => {
    await poolAs().query({
      text: `insert into billing.ledger_account values ('cash', 'USDC', 'asset'), ('sales', 'USDC', 'income'), ('dollars', 'USD', 'asset')`,
    });
  });

  /** What the commit of these statements is refused with. */
  async function commit(role: string | undefined, statements: readonly string[]): Promise<string | undefined> {
    return poolAs(role)
      .transaction(async (tx) => {
        for (const text of statements) await tx.query({ text });
      })
      .then(
        () => undefined,
        (error: unknown) => errorCode(error),
      );
  }

  it.each([undefined, billingRole])('refuses a journal without its movements, whoever writes it (%s)', async (role) => {
    expect(await commit(role, [whole(journal(uuid, 2), movement(uuid, 0))])).toBe('KF003');
    expect(await commit(role, [whole(journal(uuid, 2), movement(uuid, 0), movement(uuid, 2))])).toBe('KF003');
    expect(await commit(role, [whole(journal(uuid, 1), movement(uuid, 0), movement(uuid, 1))])).toBe('KF003');
    expect(await commit(role, [journal(uuid, 0)])).toBe('KF003');
    expect(await commit(role, [journal(uuid)])).toBe('KF003');
    // Not even for the time of a transaction.
    expect(await commit(role, [journal(uuid), movement(uuid, 0)])).toBe('KF003');
    expect(await world.rows('select * from billing.journal')).toEqual([]);
  });

  it('refuses a movement of another date than its journal, and of no journal', async () => {
    const late = movement(uuid, 0, 'sales', 5, `now() + interval '1 day'`);
    expect(await commit(undefined, [whole(journal(uuid), late)])).toBe('23503');
    expect(await commit(undefined, [whole(journal(uuid, 2), movement(uuid, 0), late.replace(', 0,', ', 1,'))])).toMatch(
      /^(23503|KF003)$/,
    );
    expect(await commit(undefined, [movement(uuid, 0)])).toBe('23503');
    expect(await world.rows('select * from billing.movement')).toEqual([]);
  });

  it('refuses a movement of nothing, to the account itself, over two assets, and an asset that nobody knows', async () => {
    expect(await commit(undefined, [whole(journal(uuid), movement(uuid, 0, 'sales', 0))])).toBe('23514');
    expect(await commit(undefined, [whole(journal(uuid), movement(uuid, 0, 'sales', -5))])).toBe('23514');
    expect(await commit(undefined, [whole(journal(uuid), movement(uuid, 0, 'cash'))])).toBe('23514');
    expect(await commit(undefined, [whole(journal(uuid), movement(uuid, 0, 'dollars'))])).toBe('23503');
    expect(await commit(undefined, [whole(journal(uuid), movement(uuid, 0, 'nobody'))])).toBe('23503');
    expect(await commit(undefined, [`insert into billing.ledger_account values ('x', 'GBP', 'asset')`])).toBe('23503');
  });

  it.each([undefined, billingRole])(
    'closes a journal with the transaction that wrote it, and keeps its balances (%s)',
    async (role) => {
      const id = role === undefined ? '00000000-0000-8000-8000-000000000003' : '00000000-0000-8000-8000-000000000004';
      expect(await commit(role, [whole(journal(id), movement(id, 0))])).toBeUndefined();
      const date = `(select effective_at from billing.journal where id = '${id}')`;
      expect(await commit(role, [movement(id, 1, 'sales', 5, date)])).toBe('KF003');
      expect(await commit(role, [movement(id, 0, 'sales', 5, date)])).toBe('23505');
      const count = role === undefined ? 1 : 2;
      for (const table of ['balance', 'balance_day']) {
        const sums = `select account, sum(debits)::int as debits, sum(credits)::int as credits from billing.${table}
          group by 1 order by 1`;
        expect(await world.rows(sums)).toEqual([
          { account: 'cash', debits: 5 * count, credits: 0 },
          { account: 'sales', debits: 0, credits: 5 * count },
        ]);
      }
      expect(await refusal(poolAs(billingRole), 'update billing.balance set debits = 0')).toBe('42501');
    },
  );

  it('refuses a journal that is dated into a locked month, to its last instant', async () => {
    const id = '00000000-0000-8000-8000-000000000006';
    await poolAs().query({ text: `insert into billing.accounting_month values ('2026-01-01', now(), 'op')` });
    for (const date of ['2026-01-01T00:00:00Z', '2026-01-31T23:59:59.999999Z']) {
      const at = `timestamptz '${date}'`;
      expect(await commit(undefined, [whole(journal(id, 1, at), movement(id, 0, 'sales', 5, at))])).toBe('KF005');
    }
    const at = `timestamptz '2026-02-01T00:00:00Z'`;
    expect(await commit(undefined, [whole(journal(id, 1, at), movement(id, 0, 'sales', 5, at))])).toBeUndefined();
  });
});
