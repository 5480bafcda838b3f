import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { streamRows } from '../src/reports/stream.js';
import { settled } from './service.js';
import { type Books, openBooks, openWorld, type World } from './world.js';

let world: World;
let books: Books;

beforeAll(async () => {
  world = await openWorld();
  books = openBooks(world);
}, 60_000);
afterAll(async () => {
  await books.close();
  await world.close();
});

// In the select list rows are made as they are fetched; in `from` all of them would be, before the first.
const many = { text: 'select generate_series(1, $1::bigint) as n', values: [100_000_000] };

it('a stream that is not read on fetches no more rows; when its reader leaves, the query and its transaction end', async () => {
  let written = 0;
  const encoder = {
    start: () => [],
    row: ({ n }: { readonly n: string }) => {
      written += 1;
      return [`${n}\n`];
    },
    end: () => [],
  };
  const out = await streamRows<{ readonly n: string }, string>(books.sql, many, { out: new PassThrough(), encoder });
  await once(out, 'readable');
  out.read();
  const cursors = async (): Promise<number> =>
    (
      await world.rows(`select 1 from pg_stat_activity where datname = current_database()
      and state = 'idle in transaction' and query like 'fetch forward%'`)
    ).length;
  expect(await settled(cursors, 1)).toBe(1);
  // Of a hundred million rows it has those that fit into the stream's buffers.
  expect(written).toBeLessThan(100_000);
  out.destroy();
  expect(await settled(cursors, 0)).toBe(0);
  expect(await settled(async () => Promise.resolve(books.sql.state.busy), 0)).toBe(0);
}, 60_000);

it('a statement that fails before its first row refuses, and leaves no connection behind', async () => {
  const encoder = { start: () => [], row: () => [], end: () => [] };
  const failing = { text: 'select 1 / (n - 1) from generate_series(1, 3) as n' };
  await expect(streamRows(books.sql, failing, { out: new PassThrough(), encoder })).rejects.toMatchObject({
    code: '22012',
  });
  expect(await settled(async () => Promise.resolve(books.sql.state.busy), 0)).toBe(0);
});
