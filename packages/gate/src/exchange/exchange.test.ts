import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { newExchangeId } from './exchange.js';

describe('an exchange id', () => {
  it('is a UUIDv7: it carries its time, and never comes twice', () => {
    const now = new Date('2026-11-21T00:00:00.123Z');
    const ids = Array.from({ length: 2_000 }, () => newExchangeId(now));
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(now.getTime());
    }
  });
});
