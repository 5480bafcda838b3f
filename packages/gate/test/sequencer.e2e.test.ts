import { randomUUID } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, beforeEach, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { keyCallValues, postKeyCalls } from '../src/exchange/post.sql.js';
import { freshIds, type LogUnderTest, openLog } from './log-under-test.js';
import { rows, settled } from './requests.js';

let database: TestDatabase;
let log: LogUnderTest;

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateGate(database.url);
  log = await openLog(database.url);
});
afterAll(async () => {
  await log.close();
  await database.drop();
});
beforeEach(async () => {
  await log.sql.query({ text: 'update keyfare.sequencer set holder = null' });
});

it('two sequencers beside each other give each entry of many connections one place, without a gap', async () => {
  const both = [log.sequencer(), log.sequencer()];
  const posting = Promise.all(Array.from({ length: 40 }, async (_, index) => log.post(1 + (index % 5))));
  const done = new AbortController();
  void posting.finally(() => done.abort());
  while (!done.signal.aborted) await Promise.all(both.map(async (one) => one.turn()));
  await posting;
  await Promise.all(both.map(async (one) => one.turn()));
  expect(both.filter((one) => one.isHolder)).toHaveLength(1);
  await log.expectWhole();
});

it('a holder that was away when its lease ended places nothing, and the next one goes on where it stood', async () => {
  const paused = log.sequencer({ ttlMs: 1 });
  await log.post(3);
  await paused.turn();
  const next = log.sequencer();
  expect(await settled(async () => (await next.turn(), next.isHolder), true)).toBe(true);
  await log.post(2);
  expect(await paused.turn()).toBe(0);
  expect(paused.isHolder).toBe(false);
  expect(await next.turn()).toBe(1);
  await log.expectWhole();
});

it('a post that is repeated gets no second place', async () => {
  const holder = log.sequencer();
  const ids = await log.post(4);
  await log.post(4, log.sql, ids);
  expect(await holder.turn()).toBe(1);
  await log.post(5, log.sql, [...ids, ...freshIds(1)]);
  expect(await holder.turn()).toBe(1);
  await log.expectWhole();
});

it('a transaction that is held open delays no entry but its own', async () => {
  const holder = log.sequencer();
  const slow = freshIds(2);
  let later: readonly string[] = [];
  await log.sql.transaction(async (tx) => {
    await log.post(2, tx, slow);
    later = await log.post(3);
    await holder.turn();
    const placed = (await log.feed()).map(({ id }) => id);
    expect(placed).toEqual(expect.arrayContaining([...later]));
    expect(placed).not.toContain(slow[0]);
  });
  await holder.turn();
  await log.expectWhole();
  expect((await log.feed()).slice(-2).map(({ id }) => id)).toEqual(slow);
});

it('a transaction that is held open in another database of the cluster delays nobody', async () => {
  const elsewhere = await createTestDatabase();
  const neighbor = new SqlPool({ ...patience, url: elsewhere.url, applicationName: 'test', poolSize: 1 });
  const holder = log.sequencer();
  try {
    await neighbor.transaction(async (tx) => {
      // It has a number of its own and a snapshot, older than all that follows.
      await tx.query({ text: 'select pg_current_xact_id(), pg_current_snapshot()' });
      const ids = await log.post(3);
      const [committed] = await log.sql.query<{ at: string }>({ text: 'select clock_timestamp()::text as at' });
      expect(await holder.turn()).toBe(1);
      expect((await log.feed()).slice(-3).map(({ id }) => id)).toEqual(ids);
      const [head] = await log.sql.query<{ complete: boolean }>({
        text: 'select as_of > $1::timestamptz as complete from keyfare.sequencer',
        values: [committed?.at],
      });
      expect(head).toEqual({ complete: true });
    });
  } finally {
    await neighbor.close();
    await elsewhere.drop();
  }
  await log.expectWhole();
});

it('as_of says no more than is true while many write: what was committed before it has its place', async () => {
  const committed: { readonly ids: readonly string[]; readonly at: bigint }[] = [];
  const seen: { readonly place: bigint; readonly asOf: bigint }[] = [];
  const microseconds = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint::text`;
  const look = async (): Promise<bigint> => {
    const [head] = await log.sql.query<{ place: string; as_of: string }>({
      text: `select (next_place - 1)::text as place, ${microseconds('as_of')} as as_of from keyfare.sequencer`,
    });
    if (head === undefined) throw new Error('the sequencer has no row');
    seen.push({ place: BigInt(head.place), asOf: BigInt(head.as_of) });
    return BigInt(head.as_of);
  };
  const write = async (_: unknown, index: number): Promise<void> => {
    for (let round = 0; round < 15; round += 1) {
      // Some take their serial long before they commit.
      const ids = await (index % 2 === 0
        ? log.post(2)
        : log.sql.transaction(async (tx) => {
            const posted = await log.post(2, tx);
            await look();
            return posted;
          }));
      const [now] = await log.sql.query<{ at: string }>({ text: `select ${microseconds('clock_timestamp()')} as at` });
      const at = BigInt(now?.at ?? 0);
      committed.push({ ids, at });
      // A sequencer that is behind leaves as_of where it is: without this, a slow one might never reach the head before
      // all is written.
      if (round % 3 === 2) while ((await look()) < at);
    }
  };
  const done = new AbortController();
  const writing = Promise.all(Array.from({ length: 6 }, write)).finally(() => done.abort());
  const sequencers = [log.sequencer({ maxPosts: 3, ttlMs: 20 }), log.sequencer({ maxPosts: 3, ttlMs: 20 })];
  while (!done.signal.aborted) {
    await Promise.all([...sequencers.map(async (one) => one.turn()), look()]);
  }
  await writing;
  const drained = async (): Promise<number> => {
    await Promise.all(sequencers.map(async (one) => one.turn()));
    await look();
    return (await log.sql.query({ text: 'select 1 from keyfare.unplaced' })).length;
  };
  expect(await settled(drained, 0)).toBe(0);
  await log.expectWhole();
  const places = new Map((await log.feed()).map(({ id, place }) => [id, BigInt(place)]));
  expect(new Set(seen.map(({ asOf }) => asOf)).size).toBeGreaterThan(3);
  const untrue = seen.filter(({ place, asOf }) =>
    committed.some(({ ids, at }) => at <= asOf && ids.some((id) => (places.get(id) ?? place + 1n) > place)),
  );
  expect(untrue).toEqual([]);
});

it('as_of does not cover what commits while the sequencer waits for the lock of its row', async () => {
  const holder = log.sequencer();
  await holder.turn();
  let turn: Promise<number> = Promise.resolve(0);
  let committed = '';
  await log.sql.transaction(async (tx) => {
    await tx.query({ text: 'select 1 from keyfare.sequencer for update' });
    turn = holder.turn();
    const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    expect(await settled(async () => (await rows(database.url, waits)).length, 1)).toBe(1);
    await log.post(1);
    committed = (await log.sql.query<{ at: string }>({ text: 'select clock_timestamp()::text as at' }))[0]?.at ?? '';
  });
  const covers = async (): Promise<boolean | undefined> => {
    const [head] = await log.sql.query<{ covers: boolean }>({
      text: 'select as_of >= $1::timestamptz as covers from keyfare.sequencer',
      values: [committed],
    });
    return head?.covers;
  };
  expect([await turn, await covers()]).toEqual([0, false]);
  await holder.turn();
  expect(await covers()).toBe(true);
  await log.expectWhole();
});

it('as_of says up to when every commit has its place, and moves on while nothing happens', async () => {
  const holder = log.sequencer();
  const asOf = async (): Promise<string> =>
    (await log.sql.query<{ at: string }>({ text: 'select as_of::text as at from keyfare.sequencer' }))[0]?.at ?? '';
  await log.post(1);
  await holder.turn();
  const first = await asOf();
  await holder.turn();
  expect(await asOf()).not.toBe(first);
});

it('the feed shows a call as it was posted, and billing pages by place', async () => {
  const holder = log.sequencer();
  const before = (await log.feed()).length;
  const ids = await log.post(3);
  await holder.turn();
  const reader = new SqlPool({
    ...patience,
    url: database.url,
    applicationName: 'reader',
    role: 'keyfare_billing_reader',
  });
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
  const values = keyCallValues([], { kid: 'kid', writer: gone, post: 1n });
  await expect(log.sql.query({ text: postKeyCalls, values })).rejects.toMatchObject({ code: 'KF001' });
});
