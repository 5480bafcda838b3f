import { expect, test } from '@jest/globals';
import { byDay, type UsageLine } from './days.js';

const line = (day: string, product: string, units: string): UsageLine => ({
  day,
  rail: 'key',
  product,
  calls: '1',
  units,
  included: units,
  overage: '0',
  asset: 'USD',
  amount: '0.000000',
});

test('a month is drawn with each of its days, products together, and nothing of days to come', () => {
  const lines = [
    line('2024-02-02', 'forecast', '2'),
    line('2024-02-02', 'distances', '3'),
    line('2024-02-04', 'forecast', '5'),
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
