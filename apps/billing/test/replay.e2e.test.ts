import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Books, bookContent, openBooks, openWorld, type World } from './world.js';

const payer = `0x${'b'.repeat(40)}`;
const payTo = `0x${'a'.repeat(40)}`;
let world: World;
let books: Books;

beforeEach(async () => {
  world = await openWorld({ PAY_TO: payTo });
  books = openBooks(world);
}, 60_000);
afterEach(async () => {
  await books.close();
  await world.close();
});

describe('a log that is read a second time', () => {
  it('from whatever entry on changes nothing: no unit, charge, journal or total is counted twice', async () => {
    const { log } = world;
    await log.terms('acct_1', { includedUnits: '3' });
    for (let call = 0; call < 4; call += 1) await log.keyCall('acct_1', { units: 2 });
    await log.terms('acct_1', { includedUnits: '3', overage: 'reject', planVersion: 2 });
    await log.keyCall('acct_1', { units: 2 });
    await log.paidCall({ payer, payTo });
    await log.unpaidCall({ payer, payTo });
    await books.readAll();
    const content = await bookContent(world);
    const [end] = await world.rows<{ place: string }>('select place from billing.feed_cursor');
    const places = await world.rows<{ place: string }>('select place - 1 as place from billing.entry order by place');
    expect(places).toHaveLength(9);
    for (const { place } of places) {
      await world.rows('update billing.feed_cursor set place = $1', [place]);
      // Whoever put the cursor back is to find out; so it stops, and does not skip what it has seen.
      await expect(books.intakeJob.step()).rejects.toMatchObject({ code: '23505' });
      expect(await bookContent(world)).toEqual(content);
    }
    await world.rows('update billing.feed_cursor set place = $1', [end?.place]);
    const next = await log.keyCall('acct_1', { units: 5 });
    await books.readAll();
    expect(await world.rows('select units, overage from billing.charge where entry_id = $1', [next])).toEqual([
      { units: '5', overage: '5' },
    ]);
    expect(await world.rows('select units from billing.period_total')).toEqual([{ units: '15' }]);
  }, 30_000);
});
