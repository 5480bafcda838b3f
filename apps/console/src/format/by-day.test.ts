import { expect, test } from '@keyfare/jest-preset/globals';
import { byDay } from './by-day.js';

test('a month is drawn with each of its days, products together, and nothing of days to come', () => {
  const lines = [
    { day: '2024-02-02', units: '2' },
    { day: '2024-02-02', units: '3' },
    { day: '2024-02-04', units: '5' },
  ];
  const days = byDay(lines, '2024-02', new Date('2024-02-04T12:00:00Z'));
  expect(days).toHaveLength(29);
  expect(days.slice(0, 5).map(({ units, total }) => [units, total])).toEqual([
    [0, 0],
    [5, 5],
    [0, 5],
    [5, 10],
    [0, null],
  ]);
});
