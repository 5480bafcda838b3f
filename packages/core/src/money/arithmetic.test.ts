import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import {
  addMoney,
  allocate,
  assetCodes,
  compareMoney,
  money,
  multiplyMoney,
  type Rounding,
  subtractMoney,
  toCents,
} from './index.js';

const usd = (atomic: bigint) => money('USD', atomic);
const amount = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
const weight = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 3n }));
const weights = fc.array(weight, { minLength: 1, maxLength: 20 }).filter((list) => list.some((item) => item > 0n));

const split = (atomic: bigint, list: readonly bigint[]) => allocate(usd(atomic), list).map((part) => part.atomic);

test('adding and subtracting undo each other, and comparing agrees with subtracting', () => {
  fc.assert(
    fc.property(amount, amount, (a, b) => {
      expect(subtractMoney(addMoney(usd(a), usd(b)), usd(b))).toEqual(usd(a));
      const difference = subtractMoney(usd(a), usd(b)).atomic;
      expect(compareMoney(usd(a), usd(b))).toBe(difference > 0n ? 1 : difference < 0n ? -1 : 0);
    }),
  );
});

test('multiplying is adding so many times', () => {
  expect(multiplyMoney(usd(7n), 3n)).toEqual(usd(21n));
  expect(multiplyMoney(usd(7n), 0n)).toEqual(usd(0n));
});

test('amounts of two different assets are never added, subtracted or compared, whatever they are', () => {
  const two = fc.uniqueArray(fc.constantFrom(...assetCodes), { minLength: 2, maxLength: 2 });
  fc.assert(
    fc.property(two, amount, amount, ([one = 'USD', other = 'EURC'], a, b) => {
      for (const mix of [addMoney, subtractMoney, compareMoney]) {
        expect(() => mix(money(one, a), money(other, b))).toThrow(TypeError);
      }
    }),
  );
});

test('the parts of an allocation sum to the whole, each within one unit of its exact share', () => {
  fc.assert(
    fc.property(amount, weights, (atomic, list) => {
      const parts = split(atomic, list);
      const total = list.reduce((sum, item) => sum + item, 0n);
      expect(parts.length).toBe(list.length);
      expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(atomic);
      for (const [index, part] of parts.entries()) {
        const error = part * total - atomic * (list[index] ?? 0n);
        expect(error < total && error > -total).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

test('a weight of nothing gets nothing, and a larger weight never gets less', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), weights, (atomic, list) => {
      const parts = split(atomic, list);
      for (const [i, a] of list.entries()) {
        expect(a > 0n || parts[i] === 0n).toBe(true);
        for (const [j, b] of list.entries()) expect(a > b && (parts[i] ?? 0n) < (parts[j] ?? 0n)).toBe(false);
      }
    }),
  );
});

test('units that do not divide go to the largest remainders, the lower index first among equals', () => {
  expect(split(100n, [1n, 1n, 1n])).toEqual([34n, 33n, 33n]);
  expect(split(101n, [1n, 1n, 1n])).toEqual([34n, 34n, 33n]);
  expect(split(10n, [1n, 2n, 4n])).toEqual([1n, 3n, 6n]);
  expect(split(-100n, [1n, 1n, 1n])).toEqual([-34n, -33n, -33n]);
  expect(split(5n, [0n, 3n, 0n])).toEqual([0n, 5n, 0n]);
});

test('weights that cannot divide anything are refused', () => {
  for (const list of [[], [0n, 0n], [1n, -1n, 5n], [-1n]]) expect(() => allocate(usd(1n), list)).toThrow(RangeError);
});

test('cents are rounded as named: half to even, away from zero, towards zero', () => {
  const cases: readonly (readonly [bigint, Rounding, bigint])[] = [
    [5_000n, 'halfEven', 0n],
    [15_000n, 'halfEven', 2n],
    [25_000n, 'halfEven', 2n],
    [25_001n, 'halfEven', 3n],
    [-15_000n, 'halfEven', -2n],
    [-25_000n, 'halfEven', -2n],
    [1n, 'up', 1n],
    [-1n, 'up', -1n],
    [10_000n, 'up', 1n],
    [19_999n, 'down', 1n],
    [-19_999n, 'down', -1n],
  ];
  for (const [atomic, rounding, cents] of cases) expect(toCents(usd(atomic), rounding)).toBe(cents);
});

test('rounding to cents moves an amount by less than a cent, to the nearest by at most half', () => {
  fc.assert(
    fc.property(amount, (atomic) => {
      const off = (rounding: Rounding) => toCents(usd(atomic), rounding) * 10_000n - atomic;
      const [nearest, up, down] = [off('halfEven'), off('up'), off('down')];
      expect(nearest <= 5_000n && nearest >= -5_000n).toBe(true);
      expect(atomic >= 0n ? up >= 0n && up < 10_000n : up <= 0n && up > -10_000n).toBe(true);
      expect(atomic >= 0n ? down <= 0n && down > -10_000n : down >= 0n && down < 10_000n).toBe(true);
    }),
  );
});
