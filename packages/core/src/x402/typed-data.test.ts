import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { hashTypedData, keccak256, domainSeparator as separatorByViem, stringToBytes, toHex } from 'viem';
import { authorizationWith, domainOf, networkOf, transferTypes } from '../../test/payer.js';
import { readVectors } from '../../test/vectors.js';
import { encodeHex, type Hex } from '../encoding/index.js';
import {
  type Authorization,
  domainSeparator,
  loadSignatureVerifier,
  type TokenDomain,
  transferDigest,
} from './index.js';
import { separatorOf } from './typed-data.js';

interface DigestVector {
  readonly title: string;
  readonly domain: TokenDomain;
  readonly authorization: Readonly<Record<keyof Authorization, string>>;
  readonly domainSeparator: Hex;
  readonly digest: Hex;
}

const { digests } = readVectors('typed-data') as { readonly digests: readonly DigestVector[] };
const verifier = await loadSignatureVerifier();

const hexOf = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => toHex(value));
const uint256 = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.nat({ max: 255 }).map((shift) => 1n << BigInt(shift)),
);
const authorization = fc.record({
  from: hexOf(20),
  to: hexOf(20),
  value: uint256,
  validAfter: uint256,
  validBefore: uint256,
  nonce: hexOf(32),
});
const domain = fc.record({
  name: fc.string(),
  // viem leaves an empty version out of the domain; a token that has none is not paid with here.
  version: fc.string({ minLength: 1 }),
  chainId: fc.integer({ min: 1, max: 2 ** 32 }),
  verifyingContract: hexOf(20),
});

function digestByViem(of: TokenDomain, message: Authorization): Hex {
  return hashTypedData({ domain: of, types: transferTypes, primaryType: 'TransferWithAuthorization', message });
}

test.each(digests)('the digest of the vector "$title" is as recorded', (vector) => {
  const { from, to, value, validAfter, validBefore, nonce } = vector.authorization;
  const separator = domainSeparator(vector.domain);
  expect(encodeHex(separator)).toBe(vector.domainSeparator);
  const message = {
    from: from as Hex,
    to: to as Hex,
    value: BigInt(value),
    validAfter: BigInt(validAfter),
    validBefore: BigInt(validBefore),
    nonce: nonce as Hex,
  };
  expect(encodeHex(transferDigest(separator, message))).toBe(vector.digest);
  expect(digestByViem(vector.domain, message)).toBe(vector.digest);
});

test('the digest of any authorization under any domain is what viem computes, with either keccak', () => {
  fc.assert(
    fc.property(domain, authorization, (of, message) => {
      const separator = domainSeparator(of);
      expect(encodeHex(separator)).toBe(separatorByViem({ domain: of }));
      const expected = digestByViem(of, message);
      expect(encodeHex(transferDigest(separator, message))).toBe(expected);
      expect(encodeHex(transferDigest(separator, message, verifier.keccak256))).toBe(expected);
    }),
    { numRuns: 400 },
  );
});

test('a digest depends on nothing that was hashed before it', () => {
  fc.assert(
    fc.property(authorization, authorization, (first, second) => {
      const separator = domainSeparator(domainOf(networkOf('base').usdc, 8453));
      const alone = encodeHex(transferDigest(separator, second));
      transferDigest(separator, first);
      expect(encodeHex(transferDigest(separator, second))).toBe(alone);
    }),
  );
});

test('the type hashes are those of the types that EIP-712 and EIP-3009 name', () => {
  const transfer =
    'TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)';
  expect(keccak256(stringToBytes(transfer))).toBe('0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267');
});

test('a field out of range is never cut to fit', () => {
  const separator = new Uint8Array(32);
  const wrong: readonly Partial<Authorization>[] = [
    { value: 1n << 256n },
    { value: -1n },
    { validAfter: 1n << 300n },
    { validBefore: -(1n << 255n) },
    { from: '0x12' },
    { to: `0x${'g'.repeat(40)}` },
    { nonce: `0x${'0'.repeat(63)}` },
    { from: `1x${'0'.repeat(40)}` as Hex },
  ];
  for (const changes of wrong) {
    expect(() => transferDigest(separator, authorizationWith(changes))).toThrow(/./);
  }
  expect(() => transferDigest(new Uint8Array(31), authorizationWith())).toThrow(RangeError);
});

test('a token has one domain separator for each chain', () => {
  const { usdc } = networkOf('base-sepolia');
  for (const chainId of [84_532, 1, 84_532]) {
    expect(encodeHex(separatorOf(usdc, chainId))).toBe(separatorByViem({ domain: domainOf(usdc, chainId) }));
  }
  expect(separatorOf(usdc, 84_532)).toBe(separatorOf(usdc, 84_532));
});

test('the domain separator of USDC is the one that its contract returns on Ethereum and on Base', () => {
  const ethereum = { name: 'USD Coin', version: '2', chainId: 1 } as const;
  const onEthereum = { ...ethereum, verifyingContract: '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48' } as const;
  const { usdc, chainId } = networkOf('base');
  expect(encodeHex(domainSeparator(onEthereum))).toBe(
    '0x06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335',
  );
  expect(encodeHex(separatorOf(usdc, chainId))).toBe(
    '0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f',
  );
});
