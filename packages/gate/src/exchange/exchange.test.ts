import { describe, expect, it } from '@jest/globals';
import { serializeBody } from './body.js';
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

describe('a response body', () => {
  it('is the bytes that leave, with their type', () => {
    expect(serializeBody({ a: 1 }, undefined)).toEqual({
      payload: '{"a":1}',
      contentType: 'application/json; charset=utf-8',
    });
    expect(serializeBody('text', undefined).contentType).toBe('text/plain; charset=utf-8');
    expect(serializeBody('<a/>', 'text/html').contentType).toBe('text/html');
    expect(serializeBody(Buffer.from([1, 2]), undefined)).toEqual({
      payload: Buffer.from([1, 2]),
      contentType: 'application/octet-stream',
    });
    expect(serializeBody(undefined, undefined)).toEqual({ payload: '', contentType: undefined });
  });

  it('is never a stream: its digest could not be signed before it leaves', () => {
    expect(() => serializeBody({ pipe: () => undefined }, undefined)).toThrow();
    expect(() => serializeBody(new ReadableStream(), undefined)).toThrow();
  });
});
