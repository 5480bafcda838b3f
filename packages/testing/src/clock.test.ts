import { describe, expect, it } from '@jest/globals';
import { fixedClock } from './clock.js';

describe('fixedClock', () => {
  it('stands still until it is moved', () => {
    const clock = fixedClock('2026-11-21T00:00:00Z');
    expect(clock().toISOString()).toBe('2026-11-21T00:00:00.000Z');
    clock.advance(1500);
    expect(clock().toISOString()).toBe('2026-11-21T00:00:01.500Z');
    clock.advance(-1500);
    clock().setFullYear(1999); // what it gave is the caller's own
    expect(clock().getUTCFullYear()).toBe(2026);
    clock.set('2027-01-01T00:00:00Z');
    expect(clock().toISOString()).toBe('2027-01-01T00:00:00.000Z');
  });

  it('refuses what is no instant', () => {
    expect(() => fixedClock('tomorrow')).toThrow(RangeError);
  });
});
