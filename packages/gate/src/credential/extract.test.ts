import { isProblem } from '@keyfare/core/problem';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { extractKey } from './extract.js';

const key = `kf_test_${'a'.repeat(12)}_${'b'.repeat(32)}_cccccc`;

/** As Node reads it: of `Authorization` the first, of others all, joined. */
function request(url: string, headers: readonly (readonly [string, string])[] = []): FastifyRequest {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) {
    const known = joined[name.toLowerCase()];
    if (known === undefined) joined[name.toLowerCase()] = value;
    else if (name.toLowerCase() !== 'authorization') joined[name.toLowerCase()] = `${known}, ${value}`;
  }
  return { headers: joined, raw: { url, rawHeaders: headers.flat() } } as unknown as FastifyRequest;
}

function outcome(work: () => string | null): string | null {
  try {
    return work();
  } catch (error) {
    if (isProblem(error)) return error.code;
    throw error;
  }
}

describe('the key of a request', () => {
  it.each([
    [[['Authorization', `Bearer ${key}`]], key],
    [[['authorization', `bearer   ${key}`]], key],
    [[['X-API-Key', key]], key],
    [
      [
        ['Authorization', `Bearer ${key}`],
        ['X-API-Key', key],
      ],
      key,
    ],
    [
      [
        ['Authorization', 'Basic dXNlcjpwYXNz'],
        ['X-API-Key', key],
      ],
      key,
    ],
    [[['Authorization', 'Basic dXNlcjpwYXNz']], null],
    [[['Authorization', 'Digest username="x"']], null],
    [[['X-API-Key', '']], ''],
    [[['Authorization', key]], 'credential/malformed'],
    [[['Authorization', `ApiKey ${key}`]], 'credential/malformed'],
    [[['Authorization', `Token ${key}`]], 'credential/malformed'],
    [[['Authorization', `Bearer${key}`]], 'credential/malformed'],
    [[['Authorization', `Basic ${btoa(`${key}:`)}`]], 'credential/malformed'],
    [[['Authorization', 'Bearer']], 'credential/malformed'],
    [[['Authorization', 'Bearer ']], 'credential/malformed'],
    [[['Authorization', `Bearer ${'x'.repeat(300)}`]], 'credential/malformed'],
    [
      [
        ['Authorization', `Bearer ${key}`],
        ['Authorization', 'Bearer kf_test_bad'],
      ],
      'credential/ambiguous',
    ],
    [
      [
        ['Authorization', 'Basic dXNlcjpwYXNz'],
        ['AUTHORIZATION', `Bearer ${key}`],
      ],
      'credential/ambiguous',
    ],
    [
      [
        ['Authorization', `Bearer ${key}`],
        ['X-API-Key', ''],
      ],
      'credential/ambiguous',
    ],
    [
      [
        ['X-API-Key', key],
        ['X-API-Key', key],
      ],
      'credential/ambiguous',
    ],
  ] as const)('%j', (headers, expected) => {
    expect(outcome(() => extractKey(request('/ping', headers)))).toBe(expected);
  });

  it.each([
    `?${key}`,
    `?${key}=1`,
    `?key=${key}`,
    `?a=1&${key}`,
    `?a=%zz&k=${key.replace('kf_', 'k%66_')}`,
    `?a=%E0%A4%A&k=${key.replace('_', '%5f')}`,
    `?%6b%66%5f%6c%69%76%65%5f`,
  ])('in the query is refused: %s', (query) => {
    expect(outcome(() => extractKey(request(`/ping${query}`, [['X-API-Key', key]])))).toBe('credential/in-query');
  });

  it('is not seen where there is none', () => {
    for (const query of ['', '?', '?a=kf_', '?a=%zz%', '?kf_prod_1', '?a=%25zz'])
      expect(extractKey(request(`/ping${query}`))).toBeNull();
  });

  it('is a text, none, or a problem, whatever is sent', () => {
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string()), fc.option(fc.string()), (query, authorization, header) => {
        const headers = [
          ...(authorization === null ? [] : [['authorization', authorization] as const]),
          ...(header === null ? [] : [['x-api-key', header] as const]),
        ];
        outcome(() => extractKey(request(`/?${query}`, headers)));
      }),
    );
  });
});
