import { isProblem } from '@keyfare/core/problem';
import { expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { z } from 'zod';
import { readRequest } from './tariff-request.js';

const get = { method: 'GET', params: {}, body: undefined };

it('a price sees frozen texts without a prototype, and nothing that the request did not say', () => {
  const query = { days: '3', tag: ['a', 'b'] };
  const seen = readRequest({ ...get, query, params: { id: '7' } }, {});
  expect(seen).toEqual({
    method: 'GET',
    query: { days: '3', tag: ['a', 'b'] },
    params: { id: '7' },
    body: undefined,
  });
  for (const part of [seen, seen.query, seen.query['tag'], seen.params]) expect(Object.isFrozen(part)).toBe(true);
  expect(Object.getPrototypeOf(seen.query)).toBeNull();
  for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
    expect(seen.query[name]).toBeUndefined();
  }
  query.tag.push('c');
  expect(seen.query['tag']).toEqual(['a', 'b']);
});

it('a body is not shown to a tariff that does not read it', () => {
  expect(readRequest({ ...get, query: {}, body: { secret: true } }, {}).body).toBeUndefined();
});

it('what a schema makes of the query, the path and the body is what a price sees of them', () => {
  const number = z.string().regex(/^\d+$/).transform(Number);
  const reads = { query: z.object({ days: number }), params: z.object({ id: number }), body: z.object({ to: number }) };
  const seen = readRequest({ method: 'POST', query: { days: '3' }, params: { id: '7' }, body: { to: '9' } }, reads);
  expect(seen).toEqual({ method: 'POST', query: { days: 3 }, params: { id: 7 }, body: { to: 9 } });
});

it('whatever a parser makes of a query, a price sees texts or the request is 400', () => {
  const value = fc.oneof(fc.string(), fc.array(fc.string()), fc.jsonValue());
  const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString'));
  fc.assert(
    fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (query) => {
      const entries = Object.entries(query);
      const isText = entries.every(([, text]) => [text].flat().every((each) => typeof each === 'string'));
      expect(seenIn(query)).toEqual(isText ? entries : [400, 'request/malformed']);
    }),
    { numRuns: 500 },
  );
});

it('a schema that does not answer at once has no price: that is no fault of the request', () => {
  const reads = { query: z.object({}).refine(async () => Promise.resolve(true)) };
  expect(() => readRequest({ ...get, query: {} }, reads)).toThrow('a schema of its tariff does not answer at once');
});

/** What a price sees of a query, or the problem that it is. */
function seenIn(query: object): unknown[] {
  try {
    return Object.entries(readRequest({ ...get, query }, {}).query);
  } catch (error) {
    if (!isProblem(error)) throw error;
    return [error.status, error.code];
  }
}
