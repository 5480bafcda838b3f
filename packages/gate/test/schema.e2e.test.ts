import { schemaDrift } from '@keyfare/db/migrations';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate, ownerDataSource } from '../src/database.js';
import { rows } from './requests.js';

describe('the schema', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
  });

  it('is made by three processes at once, each migration once', async () => {
    const ran = await Promise.all([1, 2, 3].map(() => migrateGate(database.url)));
    const names = ran.flat();
    expect(names.length).toBeGreaterThan(5);
    expect(new Set(names).size).toBe(names.length);
    expect(await migrateGate(database.url)).toEqual([]);
  });

  it('agrees with the entities: the schema builder has nothing left to do', async () => {
    const dataSource = await ownerDataSource(database.url).initialize();
    try {
      expect(await schemaDrift(dataSource)).toEqual([]);
    } finally {
      await dataSource.destroy();
    }
  });

  it.each(['entry', 'entry_other', 'placed', 'plan'])(
    'lets nobody change, delete or empty %s: neither the gate nor the owner',
    async (table) => {
      await seed(database.url);
      for (const statement of [
        `update keyfare.${table} set ${table === 'placed' ? 'ids = ids' : 'id = id'}`,
        `delete from keyfare.${table}`,
        `truncate keyfare.${table} cascade`,
      ]) {
        await expect(rows(database.url, statement)).rejects.toThrow('append-only');
        await expect(rows(database.url, `set role keyfare_gate; ${statement}`)).rejects.toThrow('permission denied');
      }
    },
  );

  it('lets the gate write into the log what happened, and not where or when it stands', async () => {
    const as = async (columns: string, values: string) =>
      rows(
        database.url,
        `set role keyfare_gate; insert into keyfare.entry (id, kind, principal, kid, digest${columns})
         values (gen_random_uuid(), 'call', 'grants', 'kid', sha256('x')${values})`,
      );
    await as('', '');
    await expect(as(', recorded_at', `, now() - interval '1 day'`)).rejects.toThrow('permission denied');
  });

  it('lets billing read its views and nothing else', async () => {
    const as = async (statement: string) => rows(database.url, `set role keyfare_billing_reader; ${statement}`);
    await as('select * from keyfare.entry_feed');
    await as('select * from keyfare.log_head');
    await as('select * from keyfare.meter_feed');
    for (const table of [
      'entry',
      'placed',
      'unplaced',
      'sequencer',
      'payment',
      'api_key_secret',
      'account',
      'wallet',
      'receipt_key',
    ]) {
      await expect(as(`select * from keyfare.${table}`)).rejects.toThrow('permission denied');
    }
  });

  it('lets the gate make the months ahead, and no table of another kind', async () => {
    await rows(database.url, 'set role keyfare_gate; select keyfare.make_months()');
    const made = await rows(
      database.url,
      `select 1 from generate_series(0, 2) as n where to_regclass('keyfare.entry_' ||
        to_char((date_trunc('month', now() at time zone 'UTC') + n * interval '1 month'), 'YYYY_MM')) is not null`,
    );
    expect(made).toHaveLength(3);
    await expect(rows(database.url, 'set role keyfare_gate; select keyfare.make_month(now())')).rejects.toThrow(
      'permission denied',
    );
    await expect(rows(database.url, 'set role keyfare_gate; create table keyfare.x (id int)')).rejects.toThrow(
      'permission denied',
    );
  });
});

const columns = `id, kind, principal, kid, digest`;
const entry = `'call', 'a', 'kid', sha256('x')`;

/** Rows in every table that nobody may change, both in a month's partition and in the default one. */
async function seed(url: string): Promise<void> {
  await rows(url, `insert into keyfare.plan values ('p', 'p', 1, 1, 'reject', 0, 0, now()) on conflict do nothing`);
  for (const id of [`keyfare.least_id(now())`, `'f0000000-0000-4000-8000-000000000000'`]) {
    await rows(url, `insert into keyfare.entry (${columns}) values (${id}, ${entry}) on conflict do nothing`);
  }
}
