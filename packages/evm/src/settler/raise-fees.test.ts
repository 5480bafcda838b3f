import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { raiseFees } from './raise-fees.js';

const fees = fc
  .tuple(fc.bigInt(0n, 2n ** 70n), fc.oneof(fc.bigInt(0n, 10n), fc.bigInt(0n, 2n ** 70n)))
  .map(([a, b]) => ({ maxFeePerGas: a > b ? a : b, maxPriorityFeePerGas: a > b ? b : a }));

describe('raiseFees', () => {
  it('is at least 12.5 % and one wei above the replaced fees, not below the current ones, and valid', () => {
    fc.assert(
      fc.property(fees, fees, (replaced, current) => {
        const raised = raiseFees(replaced, current);
        if (raised === null) return;
        for (const name of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
          expect(raised[name] * 8n >= replaced[name] * 9n).toBe(true);
          expect(raised[name] > replaced[name]).toBe(true);
          expect(raised[name] >= current[name]).toBe(true);
        }
        expect(raised.maxPriorityFeePerGas <= raised.maxFeePerGas).toBe(true);
      }),
    );
  });

  it('adds no more than it must', () => {
    const none = { maxFeePerGas: 400n, maxPriorityFeePerGas: 0n };
    expect(raiseFees({ maxFeePerGas: 800n, maxPriorityFeePerGas: 80n }, none)).toEqual({
      maxFeePerGas: 900n,
      maxPriorityFeePerGas: 90n,
    });
    expect(raiseFees({ maxFeePerGas: 801n, maxPriorityFeePerGas: 0n }, none)).toEqual({
      maxFeePerGas: 902n,
      maxPriorityFeePerGas: 1n,
    });
  });

  it('never offers more than five times what the chain asks, and goes on when the chain asks for more', () => {
    const current = { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n };
    let offered = current;
    for (let raised = raiseFees(offered, current); raised !== null; raised = raiseFees(offered, current))
      offered = raised;
    expect(offered.maxFeePerGas).toBeGreaterThan(400n);
    expect(offered.maxFeePerGas).toBeLessThanOrEqual(500n);
    const dearer = { maxFeePerGas: 600n, maxPriorityFeePerGas: 10n };
    expect(raiseFees(offered, dearer)?.maxFeePerGas).toBe(600n);
  });
});
