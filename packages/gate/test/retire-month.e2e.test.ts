import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { errorCode, SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import type { IssuedKey } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, withKey } from './requests.js';

/** The SQL of docs/runbooks/the-log-grows.md, a block for each of its steps, taken apart as psql does it. */
const runbook = readFileSync(
  fileURLToPath(new URL('../../../../docs/runbooks/the-log-grows.md', import.meta.url)),
  'utf8',
);
const steps = [...runbook.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, block = '']) =>
  block
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== ''),
);
const [whatItHolds = [], takeOut = [], undo = [], drop = []] = steps;

const months = ['2026-01', '2026-02', '2026-03'] as const;

let ground: Ground;
let gate: GateUnderTest;
let owner: SqlPool;
let reader: SqlPool;
let caller: IssuedKey;
const receipts = new Map<string, string>();

/** Runs a step of the runbook in one session. Answers the rows of its last statement. */
async function run(statements: readonly string[]): Promise<readonly object[]> {
  let found: readonly object[] = [];
  for (const text of statements) found = await owner.query<object>({ text });
  return found;
}

async function buy(from: GateUnderTest): Promise<string> {
  const answer = await call(from, '/ping', withKey(caller.secret));
  expect(answer.status).toBe(200);
  const jws = answer.headers.get('keyfare-receipt') ?? '';
  const { id } = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as { id: string };
  receipts.set(id, jws);
  return id;
}

const calls: Record<string, string[]> = {};

beforeAll(async () => {
  ground = await openGround();
  const { url } = ground.database;
  owner = new SqlPool({ ...patience, url, applicationName: 'psql', poolSize: 1 });
  reader = new SqlPool({ ...patience, url, applicationName: 'reader', role: 'keyfare_billing_reader' });
  // As the gate made them in their time.
  for (const month of months) await rows(url, 'select keyfare.make_month($1)', [`${month}-10T00:00:00Z`]);
  for (const [index, month] of months.entries()) {
    let atMs = Date.parse(`${month}-10T12:00:00Z`);
    const then = await startGate(ground, { clock: () => new Date((atMs += 1)) });
    if (index === 0) caller = await then.issueKey({ includedUnits: 1_000n });
    calls[month] = [];
    for (let turn = 0; turn < 20; turn += 1) calls[month].push(await buy(then));
    await then.close();
  }
  gate = await startGate(ground);
}, 60_000);
afterAll(async () => {
  await gate.close();
  await Promise.all([owner.close(), reader.close()]);
  await ground.close();
});

interface Line {
  readonly place: string;
  readonly id: string;
}

/** Reads the feed as billing does, in pages, from a place to the end. */
async function readFrom(place: number, limit = 7): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (let after = place; ; after = Number(lines.at(-1)?.place)) {
    const page = await reader.query<Line>({
      text: `select place, id from keyfare.entry_feed where last_place > $1::bigint and place > $1::bigint
        order by last_place, place limit $2`,
      values: [after, limit],
    });
    lines.push(...page);
    if (page.length < limit) return lines;
  }
}

const head = async (): Promise<number> =>
  Number((await reader.query<{ place: string }>({ text: 'select place from keyfare.log_head' }))[0]?.place);

/** The entry's place, as soon as it has one. */
async function placeOf(id: string): Promise<number> {
  const find = async (): Promise<number> => Number((await readFrom(0)).find((line) => line.id === id)?.place ?? 0);
  expect(await settled(async () => (await find()) > 0, true)).toBe(true);
  return find();
}

const fetched = async (id: string): Promise<number> => (await fetch(`${gate.url}/receipts/${id}`)).status;

it('the document has a statement for each step, in this order', () => {
  expect(steps).toHaveLength(4);
  expect(whatItHolds[0]).toMatch(/^select count/);
  expect(takeOut[1]).toMatch(/detach partition/);
  expect(undo[1]).toMatch(/attach partition/);
  expect(drop[0]).toMatch(/^drop table/);
});

it('says of a month that all its entries have places, and the last of them', async () => {
  const last = await placeOf(calls['2026-01']?.at(-1) ?? '');
  expect(await run(whatItHolds)).toEqual([{ entries: '20', placed: '20', last_place: String(last) }]);
});

it('a month that somebody reads is not taken out: the statement gives up, and the posts behind it go on', async () => {
  const peer = new SqlPool({ ...patience, url: ground.database.url, applicationName: 'report', poolSize: 1 });
  try {
    await peer.transaction(async (tx) => {
      await tx.query({ text: 'select count(*) from keyfare.entry' });
      const refused = run(takeOut).then(
        () => 'done',
        (error: unknown) => errorCode(error),
      );
      const waits = `select 1 from pg_locks l join pg_stat_activity a using (pid)
        where a.application_name = 'psql' and a.datname = current_database() and not l.granted`;
      expect(await settled(async () => (await rows(ground.database.url, waits)).length, 1)).toBe(1);
      const id = await buy(gate);
      expect(await refused).toBe('55P03');
      expect(await placeOf(id)).toBe(await head());
    });
  } finally {
    await peer.close();
  }
  expect(await run(whatItHolds)).toMatchObject([{ entries: '20' }]);
  const inherits = `select inhparent::regclass::text as parent from pg_inherits where inhrelid = $1::regclass`;
  expect(await rows(ground.database.url, inherits, ['keyfare.entry_2026_01'])).toEqual([{ parent: 'keyfare.entry' }]);
});

it('a month that was taken out is a gap in the places, the rest of the log goes on, and it can be put back', async () => {
  const before = await readFrom(0);
  const [first = ''] = calls['2026-01'] ?? [];
  const january = new Set(calls['2026-01']);
  await run(takeOut);
  // What is left has the places that it had: a reader that counts sees that some are missing.
  const left = await readFrom(0);
  expect(left).toEqual(before.filter(({ id }) => !january.has(id)));
  // The account's terms came first, and were recorded when the test ran.
  expect(left.slice(0, 2).map(({ place }) => place)).toEqual(['1', '22']);
  expect(await readFrom(21)).toEqual(before.slice(21));
  expect(await fetched(first)).toBe(404);
  await run(undo);
  expect(await readFrom(0)).toEqual(before);
  expect(await fetched(first)).toBe(200);
  await run(takeOut);
});

it('when a month is dropped the gate posts on, the sequencer places on, and receipts of other months are served', async () => {
  await run(drop);
  const [first = ''] = calls['2026-01'] ?? [];
  const placesBefore = await head();
  const next = await buy(gate);
  expect(await placeOf(next)).toBe(placesBefore + 1);
  expect(await head()).toBe(placesBefore + 1);
  // A reader that has read the month goes on where it stood, and finds what comes.
  expect((await readFrom(placesBefore)).map(({ id }) => id)).toEqual([next]);
  expect(await fetched(first)).toBe(404);
  for (const id of [calls['2026-02']?.[0], calls['2026-03']?.at(-1), next]) expect(await fetched(id ?? '')).toBe(200);
  const jwks = parseJwks((await call(gate, '/.well-known/jwks.json')).body);
  expect(verifyReceipt(receipts.get(first) ?? '', jwks)).toMatchObject({ ok: true, payload: { id: first } });
  const placed = `select i.id from keyfare.placed cross join lateral unnest(ids) as i(id) where i.id = $1`;
  expect(await rows(ground.database.url, placed, [first])).toHaveLength(1);
  // Another process starts, and makes the months that are missing: not this one.
  const another = await startGate(ground);
  expect(await placeOf(await buy(another))).toBe(placesBefore + 2);
  await another.close();
  expect(await rows(ground.database.url, `select to_regclass('keyfare.entry_2026_01') as month`)).toEqual([
    { month: null },
  ]);
});
