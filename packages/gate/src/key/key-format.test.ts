import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { formatKey, generateKey, generateSecret, parseKey } from './key-format.js';

describe('an API key', () => {
  it('reads back as what it was made of', () => {
    for (const environment of ['live', 'test'] as const) {
      const parts = generateKey(environment);
      expect(parseKey(formatKey(parts))).toEqual(parts);
    }
  });

  it('with any one letter changed is refused before any look-up', () => {
    const key = formatKey(generateKey('test'));
    for (let index = 0; index < key.length; index += 1) {
      for (const letter of ['0', 'a', 'Z', '_']) {
        if (key[index] === letter) continue;
        expect(parseKey(`${key.slice(0, index)}${letter}${key.slice(index + 1)}`)).toBeNull();
      }
    }
  });

  it('is one word to a double click, and says where it belongs', () => {
    expect(formatKey(generateKey('live'))).toMatch(/^kf_live_\w{12}_\w{32}_\w{6}$/);
  });

  it('has a secret of its own each time', () => {
    expect(new Set(Array.from({ length: 200 }, () => generateSecret())).size).toBe(200);
  });

  it('is never taken from any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => parseKey(text) === null));
    fc.assert(fc.property(fc.string(), (text) => parseKey(`kf_live_${text}`) === null));
  });
});
