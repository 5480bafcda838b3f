import { expect, test } from '@keyfare/jest-preset/globals';
import { dateIn, isStartOfDay, isTimeZone, startOfDay } from './index.js';

test('time zones are names that are known', () => {
  for (const name of [...Intl.supportedValuesOf('timeZone'), 'UTC', 'Etc/GMT+12', 'Etc/GMT-14']) {
    expect([name, isTimeZone(name)]).toEqual([name, true]);
  }
  for (const name of ['', '+05:30', '+0530', '-01', 'Europe/Atlantis', 'Europe/Berlin ', 'UTC\n', 'a'.repeat(65)]) {
    expect([name, isTimeZone(name)]).toEqual([name, false]);
  }
});

test.each([
  ['UTC', '2026-11-01T00:00:00Z', '2026-11-01', true],
  ['Europe/Berlin', '2026-10-31T23:00:00Z', '2026-11-01', true],
  ['Europe/Berlin', '2026-10-31T22:59:59.999Z', '2026-10-31', false],
  ['America/Los_Angeles', '2026-11-01T06:59:59.999Z', '2026-10-31', false],
  ['America/Los_Angeles', '2026-11-01T07:00:00Z', '2026-11-01', true],
  // Clocks went from 00:00 to 01:00.
  ['America/Sao_Paulo', '2017-10-15T03:00:00Z', '2017-10-15', true],
  // The day before was left out.
  ['Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-31', true],
])('in %s it is at %s the day %s, at its start: %s', (zone, at, day, start) => {
  expect([dateIn(zone, new Date(at)), isStartOfDay(zone, new Date(at))]).toEqual([day, start]);
});

test.each([
  ['UTC', '2026-11-01', '2026-11-01T00:00:00.000Z'],
  ['Europe/Berlin', '2026-11-01', '2026-10-31T23:00:00.000Z'],
  ['Pacific/Kiritimati', '2026-11-01', '2026-10-31T10:00:00.000Z'],
  ['America/Havana', '2026-11-01', '2026-11-01T04:00:00.000Z'],
  ['America/Sao_Paulo', '2017-10-15', '2017-10-15T03:00:00.000Z'],
  ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z'],
])('in %s the day %s begins at %s', (zone, day, start) => {
  expect(startOfDay(zone, day).toISOString()).toBe(start);
});

test('an invalid date and an unknown zone are bugs', () => {
  expect(() => dateIn('UTC', new Date(Number.NaN))).toThrow(RangeError);
  expect(() => dateIn('Europe/Atlantis', new Date(0))).toThrow(RangeError);
});
