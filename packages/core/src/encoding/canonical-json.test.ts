import { expect, test } from '@keyfare/jest-preset/globals';
import { canonicalize } from '@x402/extensions/offer-receipt';
import * as fc from 'fast-check';
import { canonicalJson } from './index.js';

const text = fc.string({ unit: 'binary' });
const { value: canonicalValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '10', '9')), tie('value'), { maxKeys: 5 }),
  ),
}));

test('the members of an object are sorted by UTF-16 code units, as in the example of RFC 8785, section 3.2.3', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  expect(Object.values(JSON.parse(canonicalJson(value).replace('"1":', '"one":')) as object)).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

test('strings are written with the escapes of RFC 8785, section 3.2.2.2, and no others', () => {
  expect(canonicalJson('\u20ac$\u000f\u000aA\'B"\\\\"/\u007f\u2028')).toBe(
    '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f\u2028"',
  );
});

test('canonical JSON reads back as the same value and is written the same again', () => {
  fc.assert(
    fc.property(canonicalValue, (value) => {
      const once = canonicalJson(value);
      const again: unknown = JSON.parse(once);
      expect(canonicalJson(again)).toBe(once);
      expect(JSON.stringify(again).length).toBe(once.length);
    }),
  );
});

test('a flat payload is written as the official x402 package writes it', () => {
  const member = fc.oneof(fc.string({ unit: 'grapheme-ascii' }), fc.maxSafeInteger(), fc.boolean());
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), member), (payload) => {
      const { ['__proto__']: _skipped, ...plain } = payload;
      expect(canonicalJson(plain)).toBe(canonicalize(plain));
    }),
  );
});

test('a member named __proto__ is written like any other and changes no prototype', () => {
  const value: unknown = JSON.parse('{"b":1,"__proto__":{"polluted":true}}');
  expect(canonicalJson(value)).toBe('{"__proto__":{"polluted":true},"b":1}');
  expect('polluted' in {}).toBe(false);
});

test('what has no canonical form is refused, not guessed', () => {
  const nested: unknown = JSON.parse(`${'['.repeat(10_000)}${']'.repeat(10_000)}`);
  const refused: readonly unknown[] = [
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1.5,
    2 ** 53,
    10n,
    Symbol('s'),
    () => 1,
    { a: undefined },
    // oxlint-disable-next-line no-sparse-arrays
    [1, , 2],
    new Date(0),
    new Map(),
    new Uint8Array(2),
    { toJSON: () => 1 },
    '\ud800',
    { '\udc00': 1 },
    nested,
  ];
  for (const value of refused) expect(() => canonicalJson(value)).toThrow(TypeError);
});

test('negative zero is zero', () => {
  expect(canonicalJson(-0)).toBe('0');
});
