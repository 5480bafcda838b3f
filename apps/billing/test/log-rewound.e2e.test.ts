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

/** The API's database is as it was when the log ended at this place; the books, in another database, are not. */
async function restoreLog(place: number): Promise<void> {
  await world.sql.transaction(async (tx) => {
    await tx.query({ text: 'set local session_replication_role = replica' });
    const values = [place];
    await tx.query({
      text: `delete from keyfare.entry where id in (
        select unnest(ids) from keyfare.placed where first_place > $1)`,
      values,
    });
    await tx.query({ text: 'delete from keyfare.placed where first_place > $1', values });
    await tx.query({ text: 'update keyfare.sequencer set next_place = $1::bigint + 1', values });
  });
}

const completeAsOf = async (): Promise<unknown> =>
  (await world.rows('select complete_as_of from billing.feed_cursor'))[0];

it('billing whose log went back behind what it has read books nothing of it, and calls nothing complete', async () => {
  await world.log.keyCall('acct_1');
  await world.log.keyCall('acct_1');
  const reader = books();
  await reader.readAll();
  await restoreLog(1);
  const before = await completeAsOf();
  expect(await reader.intakeJob.step()).toBe('waiting');
  // As many entries as were lost, and one more: other ones at the places that were read.
  for (let calls = 0; calls < 3; calls += 1) await world.log.keyCall('acct_1');
  expect(await reader.intakeJob.step()).toBe('waiting');
  expect(await completeAsOf()).toEqual(before);
});

it('billing that starts after its log went back, and went on, finds that its last entry is not in it', async () => {
  await world.log.keyCall('acct_1');
  await books().readAll();
  await restoreLog(1);
  await world.log.keyCall('acct_1');
  await world.log.keyCall('acct_1');
  const restarted = books();
  expect(await restarted.intakeJob.step()).toBe('waiting');
  expect(await world.rows('select place from billing.entry order by place')).toEqual([{ place: '1' }, { place: '2' }]);
});
