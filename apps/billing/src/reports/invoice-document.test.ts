import { money, toCents } from '@keyfare/core/money';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { centsOf } from './invoice-document.js';

describe('the lines of a document in cents', () => {
  it('add up to the rounded sum, each at most a cent off its own amount', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(-(10n ** 12n), 10n ** 12n), { maxLength: 200 }), (micros) => {
        const cents = centsOf(micros);
        const sum = micros.reduce((total, each) => total + each, 0n);
        expect(cents.reduce((total, each) => total + each, 0n)).toBe(toCents(money('USD', sum), 'halfEven'));
        for (const [index, each] of cents.entries()) {
          const off = each * 10_000n - (micros[index] ?? 0n);
          expect(off <= 10_000n && off >= -10_000n).toBe(true);
        }
      }),
    );
  });

  it('are 0 for what costs nothing, whatever came before', () => {
    expect(centsOf([4_999n, 0n, 4_999n, 0n])).toEqual([0n, 0n, 1n, 0n]);
  });
});
