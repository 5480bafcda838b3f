import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, type TestDatabase } from '@keyfare/testing/database';
import { migrateGate } from '../src/database.js';
import { newExchangeId } from '../src/exchange/exchange.js';
import { keyCallRows, postKeyCalls } from '../src/exchange/post.sql.js';
import { Sequencer } from '../src/log/sequencer.js';
import { settled } from './requests.js';

let database: TestDatabase;
let sql: SqlPool;
const writer = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateGate(database.url);
  sql = new SqlPool({ url: database.url, applicationName: 'test', role: 'keyfare_gate' });
  await sql.query({
    text: `insert into keyfare.replica (id, started_at, expires_at) values ($1, now(), now() + interval '1 hour')`,
    values: [writer],
  });
});
afterAll(async () => {
  await sql.close();
  await database.drop();
});
beforeEach(async () => {
  await sql.query({ text: 'update keyfare.sequencer set holder = null' });
});

let group = 0;

/** Posts calls as the gate does, and gives their ids. */
async function post(size: number, on: Pick<SqlPool, 'query'> = sql, ids: readonly string[] = fresh(size)) {
  group += 1;
  const items = ids.map((id) => ({
    id,
    kid: 'kid',
    payload: Buffer.from('{}'),
    signature: randomBytes(64),
    digest: randomBytes(32),
    keyId: 'k',
    sku: 's',
    units: 1n,
    periodStart: new Date(),
    occurredAt: new Date(),
    accountId: 'a',
    writer,
  }));
  await on.query({ name: 'post', text: postKeyCalls, values: [...keyCallRows.values(items), writer, String(group)] });
  return ids;
}

function fresh(size: number): readonly string[] {
  return Array.from({ length: size }, () => newExchangeId(new Date()));
}

function sequencer(ttlMs = 60_000): Sequencer {
  return new Sequencer({
    sql,
    holder: () => randomUUID(),
    onError: (error) => {
      throw error;
    },
    ttlMs,
  });
}

interface Line {
  readonly place: number;
  readonly id: string;
}

async function feed(after = 0): Promise<readonly Line[]> {
  const found = await sql.query<{ place: string; id: string }>({
    text: `select p.first_place + i.nth - 1 as place, i.id from keyfare.placed p
      cross join lateral unnest(p.ids) with ordinality as i(id, nth)
      where p.last_place > $1 and p.first_place + i.nth - 1 > $1 order by p.last_place, 1`,
    values: [after],
  });
  return found.map(({ place, id }) => ({ place: Number(place), id }));
}

/** Every entry has one place, and the places are 1, 2, 3 and so on. */
async function expectWhole(): Promise<void> {
  const lines = await feed();
  expect(lines.map(({ place }) => place)).toEqual(lines.map((_, index) => index + 1));
  const entries = await sql.query<{ id: string }>({ text: 'select id from keyfare.entry' });
  expect(lines.map(({ id }) => id).toSorted()).toEqual(entries.map(({ id }) => id).toSorted());
  const [head] = await sql.query<{ next: string }>({ text: 'select next_place as next from keyfare.sequencer' });
  expect(Number(head?.next)).toBe(lines.length + 1);
}

it('two sequencers beside each other give each entry of many connections one place, without a gap', async () => {
  const both = [sequencer(), sequencer()];
  const posting = Promise.all(Array.from({ length: 40 }, async (_, index) => post(1 + (index % 5))));
  const done = new AbortController();
  void posting.finally(() => done.abort());
  while (!done.signal.aborted) await Promise.all(both.map(async (one) => one.turn()));
  await posting;
  await Promise.all(both.map(async (one) => one.turn()));
  expect(both.filter((one) => one.isHolder)).toHaveLength(1);
  await expectWhole();
});

it('a holder that was away when its lease ended places nothing, and the next one goes on where it stood', async () => {
  const paused = sequencer(1);
  await post(3);
  await paused.turn();
  const next = sequencer();
  expect(await settled(async () => (await next.turn(), next.isHolder), true)).toBe(true);
  await post(2);
  expect(await paused.turn()).toBe(0);
  expect(paused.isHolder).toBe(false);
  expect(await next.turn()).toBe(1);
  await expectWhole();
});

it('a post that is repeated gets no second place', async () => {
  const holder = sequencer();
  const ids = await post(4);
  await post(4, sql, ids);
  await holder.turn();
  await post(5, sql, [...ids, ...fresh(1)]);
  await holder.turn();
  await expectWhole();
});

it('a transaction that is held open delays no entry but its own', async () => {
  const holder = sequencer();
  const slow = fresh(2);
  let later: readonly string[] = [];
  await sql.transaction(async (tx) => {
    await post(2, tx, slow);
    later = await post(3);
    await holder.turn();
    const placed = (await feed()).map(({ id }) => id);
    expect(placed).toEqual(expect.arrayContaining([...later]));
    expect(placed).not.toContain(slow[0]);
  });
  await holder.turn();
  await expectWhole();
  expect((await feed()).slice(-2).map(({ id }) => id)).toEqual(slow);
});

it('as_of says up to when every commit has its place, and moves on while nothing happens', async () => {
  const holder = sequencer();
  const asOf = async (): Promise<string> =>
    (await sql.query<{ at: string }>({ text: 'select as_of::text as at from keyfare.sequencer' }))[0]?.at ?? '';
  await post(1);
  await holder.turn();
  const first = await asOf();
  await holder.turn();
  expect(await asOf()).not.toBe(first);
});

it('the feed shows a call as it was posted, and billing pages by place', async () => {
  const holder = sequencer();
  const before = (await feed()).length;
  const ids = await post(3);
  await holder.turn();
  const reader = new SqlPool({ url: database.url, applicationName: 'reader', role: 'keyfare_billing_reader' });
  const page = await reader.query({
    text: `select place::int, id, usage_rail, usage_account, usage_payer, usage_units::int, jws from keyfare.entry_feed
      where last_place > $1 and place > $1 order by last_place, place limit 2`,
    values: [before + 1],
  });
  await reader.close();
  const header = Buffer.from('{"alg":"EdDSA","kid":"kid","typ":"keyfare-receipt+jws"}').toString('base64url');
  expect(page).toMatchObject(
    ids.slice(1).map((id, index) => ({
      place: before + 2 + index,
      id,
      usage_rail: 'key',
      usage_account: 'a',
      usage_payer: null,
      usage_units: 1,
      jws: expect.stringMatching(`^${header}[.]e30[.][\\w-]{86}$`) as unknown,
    })),
  );
});

it('a process that its peers swept can post nothing', async () => {
  const gone = randomUUID();
  const values = [...keyCallRows.values([]), gone, '1'];
  await expect(sql.query({ text: postKeyCalls, values })).rejects.toMatchObject({ code: 'KF001' });
});
