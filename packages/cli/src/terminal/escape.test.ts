import { expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { escapeLines, escapeText, safeJson } from './escape.js';

const anyText = fc.string({ unit: 'binary' });
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029\p{Surrogate}]/u;

it('text from elsewhere reaches a terminal without one character that moves, hides or turns anything', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(escapeText(text)).not.toMatch(unsafe);
      expect(escapeLines(text).replaceAll(/[\n\t]/g, '')).not.toMatch(unsafe);
    }),
  );
});

it('JSON says the same as before, and is as safe to print', () => {
  fc.assert(
    fc.property(fc.dictionary(anyText, anyText), (value) => {
      for (const printed of [safeJson(value), safeJson(value, 2)]) {
        expect(JSON.parse(printed)).toEqual(value);
        expect(printed.replaceAll('\n', '')).not.toMatch(unsafe);
      }
    }),
  );
});

it('plain text of any script stays as it is', () => {
  for (const text of ['Acme Ltd', 'Ærø', '東京', '👍🏽', 'a\u0301']) expect(escapeText(text)).toBe(text);
});
