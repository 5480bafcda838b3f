import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { anyText, codeOf } from '../../test/fuzz.js';
import { formatMoney, money, parseMoney, parsePrice } from './index.js';

const largest = 10n ** 78n - 1n;

test('an amount that is formatted and parsed again is the same amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: largest }), (atomic) => {
      expect(parseMoney('USDC', formatMoney(money('USDC', atomic)))).toEqual({ asset: 'USDC', atomic });
    }),
  );
});

test('a decimal means exactly what it says', () => {
  expect(parseMoney('USDC', '0.001').atomic).toBe(1000n);
  expect(parseMoney('USDC', '1').atomic).toBe(1_000_000n);
  expect(parseMoney('USD', '0').atomic).toBe(0n);
  expect(parseMoney('USD', '90071992547409.931234').atomic).toBe(90_071_992_547_409_931_234n);
  expect(parseMoney('USDC', formatMoney(money('USDC', largest))).atomic).toBe(largest);
});

test('a price is written in dollars and counted in micro-dollars', () => {
  expect(parsePrice('$0.001')).toEqual({ asset: 'USD', atomic: 1000n });
  expect(codeOf(() => parsePrice('0.001'))).toBe('money/malformed');
  expect(codeOf(() => parsePrice('$'))).toBe('money/malformed');
  expect(codeOf(() => parsePrice('$$1'))).toBe('money/malformed');
});

test('a price in EURC is written with the euro sign, and the sign of one asset is never read as the other', () => {
  expect(parsePrice('€0.0009', 'EURC')).toEqual({ asset: 'EURC', atomic: 900n });
  for (const [text, asset] of [
    ['€0.001', 'USD'],
    ['€0.001', undefined],
    ['$0.001', 'EURC'],
    ['0.001', 'EURC'],
    ['€', 'EURC'],
    ['€€1', 'EURC'],
    ['€ 1', 'EURC'],
    ['EUR 1', 'EURC'],
    ['1€', 'EURC'],
    ['€0,5', 'EURC'],
    ['€0.0000001', 'EURC'],
  ] as const) {
    expect(codeOf(() => parsePrice(text, asset))).toBe('money/malformed');
  }
});

test('an amount with a sign, an exponent, a guess or a decimal too many is refused, never rounded', () => {
  const texts = [
    '',
    '-1',
    '+1',
    '1e3',
    '0.0000001',
    '0.1234567',
    '.5',
    '1.',
    '01',
    '00',
    '1,000',
    ' 1',
    '1 ',
    '1\n',
    '٣',
  ];
  for (const text of [...texts, '0x10', 'NaN', 'Infinity', '1_000', '1.2.3', '9'.repeat(73), '9'.repeat(10_000)]) {
    expect(codeOf(() => parseMoney('USDC', text))).toBe('money/malformed');
  }
});

test('whatever the text, an amount is refused or comes back in the decimals it was given', () => {
  fc.assert(
    fc.property(fc.oneof(anyText, fc.stringMatching(/^\d{1,75}(\.\d{1,8})?$/)), (text) => {
      const code = codeOf(() => parseMoney('USD', text));
      const same = code === null ? formatMoney(parseMoney('USD', text)).startsWith(text) : code;
      expect(same).toBe(code === null ? true : 'money/malformed');
    }),
    { numRuns: 500 },
  );
});

test('an amount is formatted with all its decimals, a credit with its sign', () => {
  expect(formatMoney(money('USD', 1000n))).toBe('0.001000');
  expect(formatMoney(money('USD', -1_234_567n))).toBe('-1.234567');
  expect(formatMoney(money('USD', -1n))).toBe('-0.000001');
});
