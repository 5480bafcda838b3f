import { expect, it } from '@keyfare/jest-preset/globals';
import { formatCents } from './cents.js';

it('cents are dollars with two decimals, and an amount below zero has one sign before them', () => {
  const said = [0n, 5n, 50n, 1_230n, -5n, -50n, -100n, -123_456n].map(formatCents);
  expect(said).toEqual(['0.00', '0.05', '0.50', '12.30', '-0.05', '-0.50', '-1.00', '-1234.56']);
});
