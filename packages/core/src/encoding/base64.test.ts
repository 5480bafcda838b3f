import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { anyText, codeOf } from '../../test/fuzz.js';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './index.js';

const bytes = fc.uint8Array({ maxLength: 300 });

test('base64 gives the text that Node gives, and the bytes back', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      expect(encodeBase64(value)).toBe(Buffer.from(value).toString('base64'));
      expect(encodeBase64Url(value)).toBe(Buffer.from(value).toString('base64url'));
      expect(decodeBase64(encodeBase64(value))).toEqual(value);
      expect(decodeBase64Url(encodeBase64Url(value))).toEqual(value);
    }),
  );
});

test('base64 of more than the reused buffer holds is whole', () => {
  const long = new Uint8Array(50_000).map((_, index) => (index * 7) % 256);
  expect(encodeBase64(long)).toBe(Buffer.from(long).toString('base64'));
});

test('two results do not share the reused buffer', () => {
  const first = encodeBase64(new Uint8Array([1, 2, 3]));
  encodeBase64(new Uint8Array([250, 251, 252]));
  expect(first).toBe('AQID');
});

test('padding may be left out of standard base64, but not be wrong', () => {
  expect(decodeBase64('QQ')).toEqual(new Uint8Array([65]));
  expect(decodeBase64('QQ==')).toEqual(new Uint8Array([65]));
  for (const text of ['QQ=', 'QQ===', '=', '====', 'A===', 'QUJD=', 'QQ==QQ==']) {
    expect(codeOf(() => decodeBase64(text))).toBe('request/malformed');
  }
});

test('base64url has one spelling for each value: no padding, no stray bits, no other alphabet', () => {
  for (const text of ['QQ==', 'QR', 'QUJ', '+_', '-/', 'A', ' QUJD', 'QUJD\n', 'QUJDQ']) {
    expect(codeOf(() => decodeBase64Url(text))).toBe('request/malformed');
  }
});

test('a code unit beyond ASCII never counts as a digit', () => {
  for (const unit of ['Ā', 'À', '\uD83D', '０', 'Ł', '\u0141']) {
    for (let at = 0; at < 4; at += 1) {
      const text = `QUJDQUJD${'QUJD'.slice(0, at)}${unit}${'QUJD'.slice(at + 1)}`;
      expect(codeOf(() => decodeBase64(text))).toBe('request/malformed');
      expect(codeOf(() => decodeBase64Url(text))).toBe('request/malformed');
    }
  }
});

test('whatever the text, base64 decodes to what encodes back to it, or is refused with the code asked for', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const decoded = codeOf(() => decodeBase64Url(text, 'receipt/malformed'));
      expect(decoded === null ? encodeBase64Url(decodeBase64Url(text)) : decoded).toBe(
        decoded === null ? text : 'receipt/malformed',
      );
      const code = codeOf(() => decodeBase64(text, 'payment/malformed'));
      expect(code === null ? encodeBase64(decodeBase64(text)).replace(/=+$/, '') : code).toBe(
        code === null ? text.replace(/=+$/, '') : 'payment/malformed',
      );
    }),
    { numRuns: 500 },
  );
});
