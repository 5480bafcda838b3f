import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { testClock } from './clock.js';

describe('the clock of tests', () => {
  it('says the time of the machine until it is moved', () => {
    const before = Date.now();
    const now = testClock()().getTime();
    expect(now >= before && now <= Date.now()).toBe(true);
  });

  it.each([
    ['2030-01-31T12:00:00.000Z', '1 month', '2030-02-28T12:00'],
    ['2030-01-31T12:00:00.000Z', '2 months', '2030-03-31T12:00'],
    ['2032-02-29T12:00:00.000Z', '1 year', '2033-02-28T12:00'],
    ['2030-01-31T12:00:00.000Z', '90 minutes', '2030-01-31T13:30'],
    ['2030-01-31T12:00:00.000Z', '1 day', '2030-02-01T12:00'],
    ['2030-01-31T12:00:00.000Z', 3_600_000, '2030-01-31T13:00'],
  ])('%s and %s later is %s', (start, by, end) => {
    const clock = testClock();
    clock.set(start);
    clock.advance(by);
    expect(clock().toISOString().slice(0, 16)).toBe(end);
  });

  it('moves to the begin of the next month, also over the end of a year', () => {
    const clock = testClock();
    clock.set('2030-12-05T00:00:00Z');
    clock.nextMonth();
    expect(clock().toISOString().slice(0, 16)).toBe('2031-01-01T00:00');
  });

  it.each(['soon', '1 fortnight', '-1 day', '1.5 days', '1  day', '', '1 constructor'])(
    'refuses to advance by %j',
    (by) => {
      expect(() => testClock().advance(by)).toThrow(RangeError);
    },
  );

  it('refuses to go back', () => {
    const clock = testClock();
    expect(() => clock.advance(-1)).toThrow('only moves ahead');
    expect(() => clock.set('2020-01-01T00:00:00Z')).toThrow('only moves ahead');
    expect(() => clock.set('yesterday')).toThrow('is no instant');
  });
});
