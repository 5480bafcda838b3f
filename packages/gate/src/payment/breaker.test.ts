import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { Breaker } from './breaker.js';

describe('the breaker', () => {
  const settings = { perPayer: 3, total: 5, windowMs: 1_000, openMs: 10_000 };

  it('refuses a payer whose settlements revert again and again, nobody else, and not for ever', () => {
    let nowMs = 0;
    const breaker = new Breaker(() => nowMs, settings);
    for (let count = 0; count < 3; count += 1) {
      expect(breaker.isOpen('a')).toBeNull();
      breaker.reverted('a');
    }
    expect([breaker.isOpen('a'), breaker.isOpen('b')]).toEqual(['payer', null]);
    nowMs = 10_001;
    expect(breaker.isOpen('a')).toBeNull();
  });

  it('forgives reverts that lie further apart than its window', () => {
    let nowMs = 0;
    const breaker = new Breaker(() => nowMs, settings);
    for (nowMs = 0; nowMs < 20_000; nowMs += 1_500) breaker.reverted('a');
    expect(breaker.isOpen('a')).toBeNull();
  });

  it('refuses everybody when settlements of many payers revert', () => {
    const breaker = new Breaker(() => 0, settings);
    for (const payer of ['a', 'b', 'c', 'd', 'e']) breaker.reverted(payer);
    expect(breaker.isOpen('z')).toBe('all');
  });

  it('tells whether it is open, to how many payers, and how often it has opened', () => {
    let nowMs = 0;
    const breaker = new Breaker(() => nowMs, settings);
    expect(breaker.state).toEqual({ isOpen: false, openMs: 0, openPayers: 0, trips: { payer: 0, all: 0 } });
    for (const payer of ['a', 'a', 'a', 'b', 'c']) breaker.reverted(payer);
    expect(breaker.state).toEqual({ isOpen: true, openMs: 10_000, openPayers: 1, trips: { payer: 1, all: 1 } });
    expect(breaker.open(5)).toEqual([{ payer: 'a', openMs: 10_000 }]);
    nowMs = 10_001;
    expect(breaker.state).toEqual({ isOpen: false, openMs: 0, openPayers: 0, trips: { payer: 1, all: 1 } });
  });
});
