import { expect, test } from '@keyfare/jest-preset/globals';
import { decodeHex } from '../encoding/index.js';
import { addressOfPublicKey, hasGoodChecksum } from './address.js';
import { networks } from './network.js';

// The test cases of EIP-55.
const spelled = [
  '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
  '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
  '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
];

test.each([...spelled, ...networks.map(({ usdc }) => usdc.checksumAddress)])('%s has its checksum', (address) => {
  expect(hasGoodChecksum(address)).toBe(true);
});

test.each(['0x52908400098527886E0F7030069857D2E4169EE7', '0xde709f2102306220921060314715629080e2fb77'])(
  '%s is in a single case and has none to be wrong',
  (address) => {
    expect(hasGoodChecksum(address)).toBe(true);
  },
);

test('one letter of another case, or one digit changed, is a wrong checksum at every place', () => {
  for (const address of spelled) {
    const letters = Array.from({ length: 40 }, (_, index) => index + 2).filter((at) =>
      /[a-z]/i.test(address.charAt(at)),
    );
    expect(letters.length).toBeGreaterThan(10);
    for (const at of letters) {
      const letter = address.charAt(at);
      const other = letter.toLowerCase() === letter ? letter.toUpperCase() : letter.toLowerCase();
      expect(hasGoodChecksum(address.slice(0, at) + other + address.slice(at + 1))).toBe(false);
    }
    expect(hasGoodChecksum(address.slice(0, -1) + (address.endsWith('1') ? '2' : '1'))).toBe(false);
  }
});

test('the account of a private key of one is the one that everybody knows', () => {
  const generator =
    '0x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8';
  expect(addressOfPublicKey(decodeHex(generator))).toBe('0x7e5f4552091a69125d5dfcb7b8c2659029395bdf');
  expect(() => addressOfPublicKey(decodeHex(generator).subarray(1))).toThrow(TypeError);
});
