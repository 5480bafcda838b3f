import { expect, it } from '@keyfare/jest-preset/globals';
import { monthsOf } from './options.js';
import { randomOf } from './random.js';
import { type Happening, scheduleOf } from './schedule.js';

const now = new Date('2026-11-27T12:00:00Z');

/** Histories of every shape: few and many accounts, short and long. */
const histories = Array.from({ length: 60 }, (_, nth) => {
  const draw = randomOf(`shape ${String(nth)}`);
  const options = {
    accounts: draw.whole(2, 40),
    calls: draw.whole(50, 2_000),
    months: draw.whole(1, 6),
    seed: String(nth),
    paidPercent: draw.whole(0, 40),
  };
  const months = monthsOf(options, now);
  return { options, months, schedule: scheduleOf(options, months, randomOf(options.seed)) };
});

function callsIn(happenings: readonly Happening[]): number {
  return happenings.reduce((sum, one) => {
    if (one.kind === 'paid' || one.kind === 'bulk') return sum + one.calls.length;
    return one.kind === 'key' || one.kind === 'free' ? sum + 1 : sum;
  }, 0);
}

it('the months of a history are whole, follow each other, and end with the running one', () => {
  const names = monthsOf({ months: 3 }, now).map(({ start, end }) => `${start.toISOString()} ${end.toISOString()}`);
  expect(names).toEqual([
    '2026-08-01T00:00:00.000Z 2026-09-01T00:00:00.000Z',
    '2026-09-01T00:00:00.000Z 2026-10-01T00:00:00.000Z',
    '2026-10-01T00:00:00.000Z 2026-11-01T00:00:00.000Z',
  ]);
  expect(monthsOf({ months: 1, until: '2026-01' }, now)[0]?.start.toISOString()).toBe('2025-12-01T00:00:00.000Z');
});

it('a schedule has as many calls as were asked for, in order and within its months', () => {
  for (const { options, months, schedule } of histories) {
    const { happenings } = schedule;
    expect(callsIn(happenings)).toBe(options.calls);
    const times = happenings.map(({ at }) => at.getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(months[0]?.start.getTime() ?? 0);
    expect(times.at(-1)).toBeLessThan(months.at(-1)?.end.getTime() ?? 0);
  }
});

it('an account is opened before anything else happens to it, and nothing happens to it once it is closed', () => {
  for (const { options, schedule } of histories) {
    const state = new Map<number, 'open' | 'closed'>();
    const wrong: unknown[] = [];
    for (const happening of schedule.happenings) {
      if (!('account' in happening)) continue;
      const { kind, account } = happening;
      if (state.get(account) !== (kind === 'open' ? undefined : 'open')) wrong.push({ seed: options.seed, happening });
      state.set(account, kind === 'close' ? 'closed' : 'open');
    }
    expect(wrong).toEqual([]);
    // One of each is there however small the history is.
    expect([...state.values()]).toContain('closed');
    expect(schedule.happenings.some(({ kind }) => kind === 'change')).toBe(true);
  }
});

it('the same seed draws the same schedule, and another one another', () => {
  const [one] = histories;
  if (one === undefined) throw new Error('no history');
  const { options, months, schedule } = one;
  expect(scheduleOf(options, months, randomOf(options.seed))).toEqual(schedule);
  expect(scheduleOf(options, months, randomOf('another'))).not.toEqual(schedule);
});
