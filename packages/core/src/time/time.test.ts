import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { anyText, codeOf } from '../../test/fuzz.js';
import { dayOf, formatMonth, monthOf, parseMonth, systemClock, unixSeconds } from './index.js';

const instant = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59Z'),
  noInvalidDate: true,
});

test('every instant lies in exactly one month: at or after its start and before its end', () => {
  fc.assert(
    fc.property(instant, (at) => {
      const { start, end } = monthOf(at);
      expect(start.getTime() <= at.getTime() && at.getTime() < end.getTime()).toBe(true);
      expect(monthOf(end).start).toEqual(end);
      expect(monthOf(new Date(end.getTime() - 1))).toEqual({ start, end });
    }),
  );
});

test('every instant lies in exactly one day in UTC, of 24 hours', () => {
  fc.assert(
    fc.property(instant, (at) => {
      const { start, end } = dayOf(at);
      expect(start.getTime() <= at.getTime() && at.getTime() < end.getTime()).toBe(true);
      expect(end.getTime() - start.getTime()).toBe(86_400_000);
      expect(start.toISOString().slice(10)).toBe('T00:00:00.000Z');
    }),
  );
});

test('a month that is formatted and parsed again is the same month', () => {
  fc.assert(
    fc.property(instant, (at) => {
      expect(parseMonth(formatMonth(monthOf(at)))).toEqual(monthOf(at));
    }),
  );
});

test('months begin at midnight UTC and run over the end of the year', () => {
  expect(parseMonth('2026-12')).toEqual({
    start: new Date('2026-12-01T00:00:00.000Z'),
    end: new Date('2027-01-01T00:00:00.000Z'),
  });
  expect(formatMonth(monthOf(new Date('2024-02-29T23:59:59.999Z')))).toBe('2024-02');
  expect(parseMonth('2024-02').end).toEqual(new Date('2024-03-01T00:00:00.000Z'));
});

test('a text that is not YYYY-MM is refused', () => {
  const texts = ['', '2026', '2026-00', '2026-13', '2026-1', '26-01', '2026-01-01', '2026/01', '1969-12', '+2026-01'];
  for (const text of [...texts, '2026-01\n', ' 2026-01', '２026-01', '0001-01']) {
    expect(codeOf(() => parseMonth(text))).toBe('time/malformed');
  }
});

test('whatever the text, a month is refused or is the text', () => {
  const likely = fc.tuple(fc.nat({ max: 10_500 }), fc.nat({ max: 14 })).map(([year, month]) => {
    return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}`;
  });
  fc.assert(
    fc.property(fc.oneof(anyText, likely), (text) => {
      const code = codeOf(() => parseMonth(text));
      expect(code ?? formatMonth(parseMonth(text))).toBe(code === null ? text : 'time/malformed');
    }),
    { numRuns: 500 },
  );
});

test('unix seconds are whole and rounded down, before 1970 as after', () => {
  expect(unixSeconds(new Date('2027-01-15T08:00:00.999Z'))).toBe(1_800_000_000);
  expect(unixSeconds(new Date(-1))).toBe(-1);
});

test('an invalid date is a bug, not a time', () => {
  const invalid = new Date(Number.NaN);
  expect(() => unixSeconds(invalid)).toThrow(RangeError);
  expect(() => monthOf(invalid)).toThrow(RangeError);
  expect(() => dayOf(invalid)).toThrow(RangeError);
});

test('the system clock gives a valid time, a new one each time it is asked', () => {
  expect(Number.isNaN(systemClock().getTime())).toBe(false);
  expect(systemClock()).not.toBe(systemClock());
});
