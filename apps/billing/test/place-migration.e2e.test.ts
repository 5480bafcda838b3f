import { createDataSource } from '@keyfare/db/data-source';
import { migrate } from '@keyfare/db/migrations';
import { SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { CreateChain1796000000400 } from '../src/chain/chain.migration.js';
import { migrateBilling } from '../src/database.js';
import { CreateIntake1796000000100 } from '../src/intake/intake.migration.js';
import { CreateInvoice1796000000500 } from '../src/invoice/invoice.migration.js';
import { CreateLedger1796000000300 } from '../src/ledger/ledger.migration.js';
import { CreateRating1796000000200 } from '../src/rating/rating.migration.js';
import { CreateReconcile1796000000600 } from '../src/reconcile/reconcile.migration.js';
import { CreateBillingRoles1796000000000 } from '../src/roles.migration.js';
import { schema } from '../src/schema.js';

const before = [
  CreateBillingRoles1796000000000,
  CreateIntake1796000000100,
  CreateRating1796000000200,
  CreateLedger1796000000300,
  CreateChain1796000000400,
  CreateInvoice1796000000500,
  CreateReconcile1796000000600,
];
const id = (n: number): string => `00000000-0000-8000-8000-00000000000${n}`;
// As a database of the release before has them: in the order of reading, which is not that of the positions.
const entries = [
  { id: id(1), tx: 70, position: 9, kind: 'terms' },
  { id: id(2), tx: 71, position: 3, kind: 'call' },
  { id: id(3), tx: 71, position: 4, kind: 'unpaid' },
  { id: id(4), tx: 200, position: 1, kind: 'call', fault: 'usage-mismatch' },
  { id: id(5), tx: 200, position: 2, kind: 'call' },
];

let database: TestDatabase;
let sql: SqlPool;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = database.url;
  const old = createDataSource({ url, schema, entities: [], migrations: before, applicationName: 'test', poolSize: 2 });
  await old.initialize();
  await migrate(old, schema);
  await old.destroy();
  sql = new SqlPool({ ...patience, url, applicationName: 'test', poolSize: 1 });
  for (const { id: entry, tx, position, kind, fault = null } of entries) {
    await sql.query({
      text: `insert into billing.entry (tx, position, id, kind, principal, digest, recorded_at, ingested_at, fault)
        values ($1, $2, $3, $4, 'p', '\\x00', now(), now(), $5)`,
      values: [tx, position, entry, kind, fault],
    });
  }
  await sql.query({
    text: `insert into billing.price_book values ($1, 'acct_1', 'A', 'plan', 'plan', 1, 0, 'invoice', 1, 1, now(), 70, 9)`,
    values: [id(1)],
  });
  for (const n of [2, 5]) {
    await sql.query({
      text: `insert into billing.charge select $1, 'key', 'acct_1', null, 'sku', 1, 0, 1, 1, 'USD', 1, $2, now(), now(), tx, position
        from billing.entry where id = $1`,
      values: [id(n), id(1)],
    });
  }
  await sql.query({
    text: `insert into billing.payment (entry_id, outcome, network, asset, payer, nonce, pay_to, amount, sku, resource_url,
      issued_at, tx, position) values ($1, 'unpaid', 'n', 'a', 'p', 'n', 't', 1, 'sku', 'x', now(), 71, 4)`,
    values: [id(3)],
  });
  await sql.query({
    text: `insert into billing.feed_cursor values ('api', 200, 2, 300, '2026-11-20Z', 400, '2026-11-21Z')`,
  });
}, 60_000);
afterAll(async () => {
  await sql.close();
  await database.drop();
});

describe('a billing database of the release before', () => {
  it('gets places 1 to n in the order in which its log was read, and goes on reading at n', async () => {
    expect((await migrateBilling(database.url))[0]).toBe('ReadByPlace1796000000700');
    const places = async (table: string, name: string): Promise<unknown> =>
      (
        await sql.query<{ id: string; place: string }>({
          text: `select ${name} as id, place from billing.${table} order by place`,
        })
      ).map((row) => [row.id, row.place]);
    expect(await places('entry', 'id')).toEqual([1, 2, 3, 4, 5].map((n) => [id(n), String(n)]));
    expect(await places('terms', 'id')).toEqual([[id(1), '1']]);
    expect(await places('charge', 'entry_id')).toEqual([
      [id(2), '2'],
      [id(5), '5'],
    ]);
    expect(await places('payment', 'entry_id')).toEqual([[id(3), '3']]);
    expect(await sql.query({ text: 'select * from billing.feed_cursor' })).toEqual([
      {
        feed: 'api',
        place: '5',
        log_as_of: '0',
        complete_as_of: new Date('2026-11-20T00:00:00Z'),
        awaited_as_of: null,
        awaited_since: null,
      },
    ]);
    await expect(sql.query({ text: 'update billing.entry set place = 9' })).rejects.toMatchObject({ code: 'KF002' });
  });
});
