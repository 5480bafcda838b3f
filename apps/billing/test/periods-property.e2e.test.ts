import { dateIn, isStartOfDay, monthOf } from '@keyfare/core/time';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { openWorld, type World } from './world.js';

let world: World;

beforeAll(async () => {
  world = await openWorld();
}, 60_000);
afterAll(async () => world.close());

describe('the periods of an account', () => {
  // Node and PostgreSQL have the rules of zones from releases of their own: of times that are long past they agree.
  interface Found {
    readonly at: Date;
    readonly count: number;
    readonly start: Date;
    readonly end: Date;
    readonly next: Date;
    readonly before: Date;
    readonly whole_start: Date;
    readonly whole_end: Date;
    readonly zone: string;
  }
  const time = fc.date({
    min: new Date('2015-01-01T00:00:00Z'),
    max: new Date('2022-01-01T00:00:00Z'),
    noInvalidDate: true,
  });

  it('have neither gap nor overlap in any zone, begin on the day of the contract or the last of a month, and are cut where others begin', async () => {
    const known = await world.rows<{ name: string }>('select name from pg_timezone_names');
    const named = new Set(known.map(({ name }) => name));
    const zones = Intl.supportedValuesOf('timeZone').filter((name) => named.has(name));
    expect(zones.length).toBeGreaterThan(300);
    const cycle = fc.record({
      startsAt: time,
      anchor: fc.constantFrom('calendar', 'anniversary'),
      timeZone: fc.constantFrom(...zones, 'UTC', 'America/Havana', 'Africa/Cairo'),
    });
    const cycles = fc.uniqueArray(cycle, {
      minLength: 1,
      maxLength: 3,
      selector: ({ startsAt }) => startsAt.getTime(),
    });
    let account = 0;
    await fc.assert(
      fc.asyncProperty(cycles, fc.array(time, { minLength: 20, maxLength: 20 }), async (given, times) => {
        account += 1;
        const name = `any-${account}`;
        await world.rows(
          'insert into billing.billing_cycle select $1, * from unnest($2::timestamptz[], $3::text[], $4::text[])',
          [
            name,
            given.map(({ startsAt }) => startsAt.toISOString()),
            given.map(({ anchor }) => anchor),
            given.map(({ timeZone }) => timeZone),
          ],
        );
        const at = [...times, ...given.map(({ startsAt }) => startsAt)].map((each) => each.toISOString());
        const found = await world.rows<Found>(
          `select t.at, count(*) over (partition by t.at)::int as count, p.period_start as start, p.period_end as end,
            (select n.period_start from billing.periods_of($1, p.period_end, p.period_end) as n) as next,
            (select b.period_end from billing.periods_of($1, p.period_start - interval '1 microsecond',
              p.period_start - interval '1 microsecond') as b) as before,
            p.whole_start, p.whole_end, p.time_zone as zone
          from unnest($2::timestamptz[]) as t (at) cross join lateral billing.periods_of($1, t.at, t.at) as p`,
          [name, at],
        );
        expect(found).toHaveLength(at.length);
        for (const row of found) {
          expect(row.start <= row.at && row.at < row.end).toBe(true);
          expect([row.next, row.before]).toEqual([row.end, row.start]);
          const cut = given.toSorted((a, b) => b.startsAt.getTime() - a.startsAt.getTime());
          const held = cut.find(({ startsAt }) => startsAt <= row.at);
          const next = cut.findLast(({ startsAt }) => startsAt > row.at);
          expect(row.zone).toBe(held?.timeZone ?? 'UTC');
          expect(row.start).toEqual(latest(row.whole_start, held?.startsAt));
          expect(row.end).toEqual(earliest(row.whole_end, next?.startsAt));
          const day = held?.anchor === 'anniversary' ? Number(dateIn(row.zone, held.startsAt).slice(8)) : 1;
          for (const midnight of [row.whole_start, row.whole_end]) {
            const date = dateIn(row.zone, midnight);
            expect([row.zone, date, isStartOfDay(row.zone, midnight)]).toEqual([row.zone, date, true]);
            const last = new Date(monthOf(new Date(date)).end.getTime() - 1).getUTCDate();
            expect(Number(date.slice(8))).toBe(Math.min(day, last));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('begin with the first midnight where clocks go back to it, and with one o’clock where they jump over it', async () => {
    await world.rows(`insert into billing.billing_cycle values
      ('havana', '2026-01-01T05:00Z', 'calendar', 'America/Havana'),
      ('asuncion', '2017-10-01T04:00Z', 'calendar', 'America/Asuncion')`);
    const starts = async (account: string, at: string): Promise<unknown> =>
      (await world.rows('select period_start from billing.periods_of($1, $2, $2)', [account, at]))[0]?.['period_start'];
    expect(await starts('havana', '2026-11-10T00:00Z')).toEqual(new Date('2026-11-01T04:00Z'));
    expect(await starts('asuncion', '2017-10-10T00:00Z')).toEqual(new Date('2017-10-01T04:00Z'));
  });
});

function latest(a: Date, b: Date | undefined): Date {
  return b !== undefined && b > a ? b : a;
}

function earliest(a: Date, b: Date | undefined): Date {
  return b !== undefined && b < a ? b : a;
}
