import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { schemaDrift } from '@keyfare/db/migrations';
import { SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, type TestDatabase } from '@keyfare/testing/database';
import { migrateGate, ownerDataSource } from '../src/database.js';
import { checkLogOrder } from '../src/log/check-order.js';
import { rows, settled } from './requests.js';

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

  it.each(['entry', 'receipt', 'usage', 'plan'])(
    'lets nobody change, delete or empty %s: neither the gate nor the owner',
    async (table) => {
      await seed(database.url);
      for (const statement of [
        `update keyfare.${table} set id = id`,
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
        `set role keyfare_gate; insert into keyfare.entry (id, kind, principal, digest${columns})
         values (gen_random_uuid(), 'call', 'grants', sha256('x')${values})`,
      );
    await as('', '');
    for (const [column, value] of [
      ['recorded_at', `now() - interval '1 day'`],
      ['tx', '1'],
    ]) {
      await expect(as(`, ${column}`, `, ${value}`)).rejects.toThrow('permission denied');
    }
  });

  it('lets billing read its two views and nothing else', async () => {
    const as = async (statement: string) => rows(database.url, `set role keyfare_billing_reader; ${statement}`);
    await as('select * from keyfare.entry_feed');
    await as('select * from keyfare.meter_feed');
    for (const table of [
      'entry',
      'receipt',
      'usage',
      'payment',
      'api_key_secret',
      'account',
      'wallet',
      'receipt_key',
    ]) {
      await expect(as(`select * from keyfare.${table}`)).rejects.toThrow('permission denied');
    }
  });

  it('shows no entry to the feed while an older transaction may still add one before it', async () => {
    const entry = `insert into keyfare.entry (id, kind, principal, digest) values (gen_random_uuid(), 'call', 'x', sha256('x'))`;
    const quick = new SqlPool({ url: database.url, applicationName: 'test' });
    const shown = async (): Promise<number> =>
      (await rows(database.url, `select 1 from keyfare.entry_feed where principal = 'x'`)).length;
    await quick.transaction(async (slow) => {
      await slow.query({ text: entry });
      await quick.query({ text: entry });
      expect(await shown()).toBe(0);
    });
    // Transactions of other tests on this server may hold it back a moment longer.
    expect(await settled(shown, 2)).toBe(2);
    await quick.close();
  });

  it('keeps a gate from starting on a log that was restored from a cluster further on', async () => {
    const sql = new SqlPool({ url: database.url, applicationName: 'test' });
    await expect(checkLogOrder(sql)).resolves.toBeUndefined();
    await sql.query({
      text: `insert into keyfare.entry (tx, id, kind, principal, digest)
        values (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000, gen_random_uuid(), 'call', 'x', sha256('x'))`,
    });
    await expect(checkLogOrder(sql)).rejects.toThrow('restored from another');
    await sql.close();
  });
});

async function seed(url: string): Promise<void> {
  await rows(url, `insert into keyfare.plan values ('p', 'p', 1, 1, 'reject', 0, 0, now()) on conflict do nothing`);
  await rows(
    url,
    `insert into keyfare.usage values ('00000000-0000-7000-8000-000000000000', 'key', 'a', null, 'k', 's', 1, now(), now()) on conflict do nothing`,
  );
  await rows(
    url,
    `insert into keyfare.receipt values ('00000000-0000-7000-8000-000000000000', 'call', 'a', 'kid', 'jws', now()) on conflict do nothing`,
  );
  await rows(
    url,
    `insert into keyfare.entry (id, kind, principal, digest) values ('00000000-0000-7000-8000-000000000000', 'call', 'a', sha256('x')) on conflict do nothing`,
  );
}
