import type { Hex } from '@keyfare/core/encoding';
import { paymentBatchAbi } from '@keyfare/devstack/payment-batch';
import { usdcAbi } from '@keyfare/devstack/usdc';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { encodeFunctionData, pad, parseAbi } from 'viem';
import {
  addressTopic,
  encodeAggregate3,
  encodeAuthorizationState,
  encodeBalanceOf,
  encodeTransferWithAuthorization,
} from './calldata.js';

const bytes = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((value): Hex => `0x${Buffer.from(value).toString('hex')}`);
const uint256 = fc.oneof(fc.bigInt(0n, 2n ** 256n - 1n), fc.bigInt(0n, 2n ** 64n), fc.constant(2n ** 256n - 1n));
const authorizations = fc.record({
  from: bytes(20),
  to: bytes(20),
  value: uint256,
  validAfter: uint256,
  validBefore: uint256,
  nonce: bytes(32),
});
const keySignatures = fc.tuple(bytes(64), fc.constantFrom('1b', '1c')).map(([rs, v]): Hex => `${rs}${v}` as Hex);
const anySignatures = fc.uint8Array({ maxLength: 300 }).map((value): Hex => `0x${Buffer.from(value).toString('hex')}`);

const authorization = {
  from: `0x${'11'.repeat(20)}`,
  to: `0x${'22'.repeat(20)}`,
  value: 1n,
  validAfter: 0n,
  validBefore: 2n,
  nonce: `0x${'33'.repeat(32)}`,
} as const;
const signature: Hex = `0x${'44'.repeat(64)}1b`;

describe('calldata', () => {
  it('of transferWithAuthorization is what viem encodes, with v, r, s for any signature of a key', () => {
    fc.assert(
      fc.property(authorizations, keySignatures, (fields, signed) => {
        const { from, to, value, validAfter, validBefore, nonce } = fields;
        const [r, s]: [Hex, Hex] = [`0x${signed.slice(2, 66)}`, `0x${signed.slice(66, 130)}`];
        const args = [from, to, value, validAfter, validBefore, nonce, Number(`0x${signed.slice(130)}`), r, s] as const;
        expect(encodeTransferWithAuthorization(fields, signed)).toBe(
          encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of transferWithAuthorization is what viem encodes, as bytes for a signature of any other length', () => {
    fc.assert(
      fc.property(authorizations, anySignatures, (fields, signed) => {
        const { from, to, value, validAfter, validBefore, nonce } = fields;
        const args = [from, to, value, validAfter, validBefore, nonce, signed] as const;
        expect(encodeTransferWithAuthorization(fields, signed, 'bytes')).toBe(
          encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of aggregate3 is what viem encodes, for any number of calls of any length', () => {
    const calls = fc.array(fc.record({ target: bytes(20), callData: anySignatures }), { maxLength: 12 });
    fc.assert(
      fc.property(calls, (rows) => {
        const args = [rows.map((row) => ({ ...row, allowFailure: true }))] as const;
        expect(encodeAggregate3(rows)).toBe(
          encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('of aggregate3 refuses a target that is no address and calldata that is no hexadecimal', () => {
    const target = authorization.from;
    expect(() => encodeAggregate3([{ target: '0x11', callData: '0x' }])).toThrow(TypeError);
    expect(() => encodeAggregate3([{ target, callData: '0xzz' }])).toThrow(TypeError);
  });

  it('of the reads is what viem encodes, for an address in either case', () => {
    const abi = parseAbi([
      'function balanceOf(address) view returns (uint256)',
      'function authorizationState(address, bytes32) view returns (bool)',
    ]);
    fc.assert(
      fc.property(bytes(20), bytes(32), (holder, nonce) => {
        const upper = `0x${holder.slice(2).toUpperCase()}` as const;
        for (const spelling of [holder, upper]) {
          expect(encodeBalanceOf(spelling)).toBe(
            encodeFunctionData({ abi, functionName: 'balanceOf', args: [holder] }),
          );
          expect(encodeAuthorizationState(spelling, nonce)).toBe(
            encodeFunctionData({ abi, functionName: 'authorizationState', args: [holder, nonce] }),
          );
          expect(addressTopic(spelling)).toBe(pad(holder));
        }
      }),
    );
  });

  it('picks the form by whether the signature can be a key’s', () => {
    expect(encodeTransferWithAuthorization(authorization, signature).slice(0, 10)).toBe('0xe3ee160e');
    expect(encodeTransferWithAuthorization(authorization, `0x00${signature.slice(2)}`).slice(0, 10)).toBe('0xcf092995');
    const safe: Hex = `${signature.slice(0, -2) as Hex}1f`;
    expect(encodeTransferWithAuthorization(authorization, safe).slice(0, 10)).toBe('0xcf092995');
  });

  it('refuses a v that the token refuses, and fields that do not fit', () => {
    for (const v of ['00', '01', '1a', '1d', '23']) {
      const wrong = `${signature.slice(0, -2)}${v}` as Hex;
      expect(() => encodeTransferWithAuthorization(authorization, wrong, 'parts')).toThrow(TypeError);
    }
    const wrong = [
      { from: '0x11' },
      { to: `0x${'2g'.repeat(20)}` },
      { nonce: `0x${'33'.repeat(31)}` },
      { from: `0x${'11'.repeat(21)}` },
    ] as Partial<typeof authorization>[];
    for (const change of wrong) {
      expect(() => encodeTransferWithAuthorization({ ...authorization, ...change }, signature)).toThrow(TypeError);
    }
    for (const change of [{ value: 2n ** 256n }, { validAfter: -1n }, { validBefore: 2n ** 300n }]) {
      expect(() => encodeTransferWithAuthorization({ ...authorization, ...change }, signature)).toThrow(RangeError);
    }
    for (const text of ['0x1', '0xzz', 'aa', `${signature}0`]) {
      expect(() => encodeTransferWithAuthorization(authorization, text as Hex)).toThrow(TypeError);
    }
  });
});
