import { expect, test } from '@keyfare/jest-preset/globals';
import { formatMoney, sumMoney, toMicros } from './money.js';

test('amounts are summed exactly, with the most decimals that one of them has and six at least', () => {
  expect(sumMoney([])).toBe('0.000000');
  expect(sumMoney(['0.1', '0.2', '-0.30'])).toBe('0.000000');
  expect(sumMoney(['58.80', '34.80'])).toBe('93.600000');
  expect(sumMoney(['0.000000000000000001', '-1'])).toBe('-0.999999999999999999');
  expect(sumMoney(['9007199254740993.000001', '0.000001'])).toBe('9007199254740993.000002');
});

test('millionths of an amount', () => {
  expect([toMicros('1.5'), toMicros('-0.0000019'), toMicros('12')]).toEqual([1_500_000n, -1n, 12_000_000n]);
});

test('an amount for people keeps each digit that says something, in the separators of the language', () => {
  expect(formatMoney('1234567.500000', 'de-DE')).toBe('1.234.567,50');
  expect(formatMoney('-0.004500', 'en-GB')).toBe('−0.0045');
  expect(formatMoney('999.997104174457921199', 'en-US')).toBe('999.997104174457921199');
});
