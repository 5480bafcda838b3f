import { afterEach, beforeEach, expect, it } from '@keyfare/jest-preset/globals';
import { type Books, openBooks, openWorld, type World } from './world.js';

let world: World;
const open: Books[] = [];

beforeEach(async () => {
  world = await openWorld();
  await world.log.terms('acct_1', { includedUnits: '0' });
}, 60_000);
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (each) => each.close()));
  await world.close();
});

function books(): Books {
  const opened = openBooks(world);
  open.push(opened);
  return opened;
}

/** Entries are taken out of the log, as with their month. Answers how they are put back. */
async function takeOut(ids: readonly string[]): Promise<() => Promise<void>> {
  const asOwner = async (text: string): Promise<void> =>
    world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' });
      await tx.query({ text, values: [ids] });
    });
  await world.rows('create table retired as select * from keyfare.entry');
  await asOwner('delete from keyfare.entry where id = any($1::uuid[])');
  return () => asOwner('insert into keyfare.entry select * from retired where id = any($1::uuid[])');
}

const read = async (): Promise<readonly string[]> =>
  (await world.rows<{ place: string }>('select place from billing.entry order by place')).map(({ place }) => place);

/** Steps until the intake stops in front of the gap. */
async function readToGap({ intakeJob }: Books): Promise<void> {
  for (let steps = 0; steps < 10; steps += 1) if ((await intakeJob.step()) === 'waiting') return;
  throw new Error('the gap was passed over');
}

it('a billing that is made anew stops in front of entries that are gone from the log, and goes on when they are back', async () => {
  const ids = [await world.log.keyCall('acct_1'), await world.log.keyCall('acct_1')];
  await world.log.keyCall('acct_1');
  const putBack = await takeOut(ids);
  const reader = books();
  await readToGap(reader);
  expect(await read()).toEqual(['1']);
  await readToGap(reader);
  expect(await reader.intakeJob.catchUp({ asOf: 9_000_000_000_000_000n, since: world.clock() }, 0)).toBe(false);
  await putBack();
  await reader.readAll();
  expect(await read()).toEqual(['1', '2', '3', '4']);
});

it('entries that are gone at the end of the log are no end of it: the books are not called complete', async () => {
  const putBack = await takeOut([await world.log.keyCall('acct_1')]);
  const reader = books();
  await readToGap(reader);
  const complete = await world.rows('select complete_as_of from billing.feed_cursor');
  expect(complete).toEqual([{ complete_as_of: null }]);
  await putBack();
  await reader.readAll();
  expect(await read()).toEqual(['1', '2']);
});

it('a billing that has read the entries does not miss them', async () => {
  const gone = await world.log.keyCall('acct_1');
  const reader = books();
  await reader.readAll();
  await takeOut([gone]);
  await world.log.keyCall('acct_1');
  await reader.readAll();
  expect(await read()).toEqual(['1', '2', '3']);
});

it('a cursor that an operator moved past the gap reads what is behind it', async () => {
  await takeOut([await world.log.keyCall('acct_1')]);
  await world.log.keyCall('acct_1');
  const reader = books();
  await readToGap(reader);
  // As in docs/runbooks/the-log-grows.md.
  await world.rows('update billing.feed_cursor set place = 2');
  await reader.readAll();
  expect(await read()).toEqual(['1', '3']);
});
