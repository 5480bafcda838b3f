import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { anyText, codeOf } from '../../test/fuzz.js';
import { decodeHex, decodeUtf8, encodeHex, utf8 } from './index.js';

test('hex gives the text that Node gives, and the bytes back, from either case', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (value) => {
      const text = encodeHex(value);
      expect(text).toBe(`0x${Buffer.from(value).toString('hex')}`);
      expect(decodeHex(text)).toEqual(value);
      expect(decodeHex(`0x${text.slice(2).toUpperCase()}`)).toEqual(value);
    }),
  );
});

test('hex without its prefix, of odd length or with another character is refused', () => {
  for (const text of ['', '0', 'ab', '0xa', '0Xab', '0xag', '0x a', '0x0x', '0xａb', '0x\u0161b', 'x0ab']) {
    expect(codeOf(() => decodeHex(text))).toBe('request/malformed');
  }
});

test('of all 65,536 code units, only the 22 hexadecimal digits are digits', () => {
  const digits = Array.from({ length: 65_536 }, (_, unit) => String.fromCharCode(unit)).filter(
    (unit) => codeOf(() => decodeHex(`0x${unit}0`)) === null && codeOf(() => decodeHex(`0x0${unit}`)) === null,
  );
  expect(digits.join('')).toBe('0123456789ABCDEFabcdef');
});

test('whatever the text, hex decodes to what encodes back to it, or is refused with the code asked for', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const code = codeOf(() => decodeHex(text, 'log/malformed'));
      expect(code ?? encodeHex(decodeHex(text))).toBe(code === null ? text.toLowerCase() : 'log/malformed');
    }),
    { numRuns: 500 },
  );
});

test('text survives UTF-8, a byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodeUtf8(utf8(text))).toBe(text);
    }),
  );
  expect(decodeUtf8(new Uint8Array([0xef, 0xbb, 0xbf, 0x41]))).toBe('\uFEFFA');
});

test('bytes that are not well-formed UTF-8 are refused with the code asked for', () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]) {
    expect(codeOf(() => decodeUtf8(Uint8Array.from(bytes), 'receipt/malformed'))).toBe('receipt/malformed');
  }
});
