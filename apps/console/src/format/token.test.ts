import { expect, test } from '@keyfare/jest-preset/globals';
import { networkName, toDecimal, tokenAmount } from './token.js';

const sepolia = { network: 'eip155:84532', asset: '0x036cbd53842c5426634e7929541ec2318f3dcf7e' };

test('an amount of a known token is shown in its unit, exactly', () => {
  expect(tokenAmount(sepolia, '1000')).toEqual({ amount: '0.001000', asset: 'USDC' });
  expect(tokenAmount(sepolia, '123456789012345678901234567890')).toEqual({
    amount: '123456789012345678901234.567890',
    asset: 'USDC',
  });
});

test('the decimals of a token that is not known are not guessed', () => {
  expect(tokenAmount({ ...sepolia, asset: `0x${'1'.repeat(40)}` }, '1000')).toBeNull();
  expect(tokenAmount({ ...sepolia, network: 'eip155:1' }, '1000')).toBeNull();
});

test('atomic units become decimal text of any number of decimals', () => {
  expect([toDecimal('7', 0), toDecimal('7', 1), toDecimal('0', 6)]).toEqual(['7', '0.7', '0.000000']);
});

test('a chain has the name of x402, or else its identifier', () => {
  expect([networkName('eip155:8453'), networkName('eip155:1')]).toEqual(['base', 'eip155:1']);
});
