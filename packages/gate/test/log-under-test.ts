import { randomBytes, randomUUID } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { expect } from '@keyfare/jest-preset/globals';
import { newExchangeId } from '../src/exchange/exchange.js';
import { keyCallValues, postKeyCalls } from '../src/exchange/post.sql.js';
import { Sequencer, type SequencerSettings } from '../src/log/sequencer.js';

/** An entry of the log and its place. */
interface Line {
  readonly place: number;
  readonly id: string;
}

/** The log of a database, as a process of the gate writes it. */
export interface LogUnderTest {
  readonly sql: SqlPool;
  /** Posts calls as the gate does, and gives their ids. */
  post(size: number, on?: Pick<SqlPool, 'query'>, ids?: readonly string[]): Promise<readonly string[]>;
  /** A sequencer that works when it is told to; it throws what goes wrong unless told otherwise. */
  sequencer(settings?: Partial<SequencerSettings>): Sequencer;
  feed(): Promise<readonly Line[]>;
  /** Every entry has one place, and the places are 1, 2, 3 and so on. */
  expectWhole(): Promise<void>;
  close(): Promise<void>;
}

/** Ids of exchanges that begin now. */
export function freshIds(size: number): readonly string[] {
  return Array.from({ length: size }, () => newExchangeId(new Date()));
}

/** Opens the log of a database that has the gate's schema, as a living process. */
export async function openLog(url: string): Promise<LogUnderTest> {
  const sql = new SqlPool({ ...patience, url, applicationName: 'test', role: 'keyfare_gate' });
  const writer = randomUUID();
  await sql.query({
    text: `insert into keyfare.replica (id, started_at, expires_at) values ($1, now(), now() + interval '1 hour')`,
    values: [writer],
  });
  let group = 0;
  const feed = async (): Promise<readonly Line[]> => {
    const found = await sql.query<{ place: string; id: string }>({
      text: `select p.first_place + i.nth - 1 as place, i.id from keyfare.placed p
        cross join lateral unnest(p.ids) with ordinality as i(id, nth) order by p.last_place, 1`,
    });
    return found.map(({ place, id }) => ({ place: Number(place), id }));
  };
  return {
    sql,
    feed,
    post: async (size, on = sql, ids = freshIds(size)) => {
      group += 1;
      const calls = ids.map((id) => callOf(id, writer));
      const values = keyCallValues(calls, { kid: 'kid', writer, post: BigInt(group) });
      await on.query({ name: 'post', text: postKeyCalls, values });
      return ids;
    },
    sequencer: (settings = {}) =>
      new Sequencer({
        sql,
        holder: () => randomUUID(),
        onError: (error) => {
          throw error;
        },
        ttlMs: 60_000,
        ...settings,
      }),
    expectWhole: async () => {
      const lines = await feed();
      expect(lines.map(({ place }) => place)).toEqual(lines.map((_, index) => index + 1));
      const entries = await sql.query<{ id: string }>({ text: 'select id from keyfare.entry' });
      expect(lines.map(({ id }) => id).toSorted()).toEqual(entries.map(({ id }) => id).toSorted());
      const [head] = await sql.query<{ next: string }>({ text: 'select next_place as next from keyfare.sequencer' });
      expect(Number(head?.next)).toBe(lines.length + 1);
    },
    close: async () => sql.close(),
  };
}

function callOf(id: string, writer: string) {
  return {
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
  };
}
