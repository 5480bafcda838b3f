import type { Hex } from '@keyfare/core/encoding';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { keccak256 } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { loadSigningEngine, type SigningEngine } from './engine.js';
import { signTransaction } from './transaction.js';

const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`;
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const wei = fc.oneof(fc.bigInt(0n, 2n ** 64n), fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 200n));
const keys = bytes(32).filter((key) => {
  const value = BigInt(toHex(key));
  return value > 0n && value < 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
});
const transactions = fc
  .record({
    chainId: fc.oneof(fc.constantFrom(1, 8453, 84_532), fc.integer({ min: 1, max: 2 ** 31 })),
    nonce: fc.oneof(fc.nat({ max: 300 }), fc.nat()),
    fees: fc.tuple(wei, wei),
    gasLimit: fc.bigInt(0n, 2n ** 40n),
    to: bytes(20).map(toHex),
    data: fc.uint8Array({ maxLength: 700 }).map(toHex),
  })
  .map(({ fees: [a, b], chainId, nonce, gasLimit, to, data }) => {
    const [maxFeePerGas, maxPriorityFeePerGas] = a > b ? [a, b] : [b, a];
    return { chainId, nonce, gasLimit, to, data, maxFeePerGas, maxPriorityFeePerGas };
  });

const wasm = await loadSigningEngine();
const noble = await loadSigningEngine(async () => await Promise.reject(new Error('no WebAssembly')));

/** Loads the WebAssembly engine with something else in place of a part of it. */
function twist(change: Partial<SigningEngine>): () => Promise<SigningEngine> {
  return async () => await Promise.resolve({ ...wasm, ...change });
}

function flip(value: Uint8Array): Uint8Array {
  return Uint8Array.from(value, (byte, index) => (index === 40 ? byte ^ 1 : byte));
}

describe('signTransaction', () => {
  it('gives the bytes that viem gives, for any transaction and key', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, keys, async (transaction, key) => {
        const { gasLimit, ...fields } = transaction;
        const viem = await privateKeyToAccount(toHex(key)).signTransaction({
          type: 'eip1559',
          gas: gasLimit,
          ...fields,
        });
        const signed = signTransaction(transaction, wasm, key);
        expect(signed.raw).toBe(viem);
        expect(signed.hash).toBe(keccak256(viem));
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it('gives the same bytes with either engine', () => {
    fc.assert(
      fc.property(transactions, keys, (transaction, key) => {
        expect(signTransaction(transaction, noble, key)).toEqual(signTransaction(transaction, wasm, key));
      }),
      { numRuns: 50 },
    );
  });

  it('refuses what no transaction can be', () => {
    const key = new Uint8Array(32).fill(1);
    const good = {
      chainId: 1,
      nonce: 0,
      maxFeePerGas: 2n,
      maxPriorityFeePerGas: 1n,
      gasLimit: 21_000n,
      to: `0x${'11'.repeat(20)}`,
      data: '0x',
    } as const;
    for (const change of [{ nonce: -1 }, { nonce: 1.5 }, { maxPriorityFeePerGas: 3n }, { gasLimit: -1n }]) {
      expect(() => signTransaction({ ...good, ...change }, wasm, key)).toThrow(RangeError);
    }
  });
});

describe('loadSigningEngine', () => {
  it('takes the WebAssembly engine', () => {
    expect(wasm.name).toBe('wasm');
  });

  it('falls back to the other implementation when there is none, and when it fails its self-test', async () => {
    expect(noble.name).toBe('noble');
    const broken = [
      twist({ keccak256: (input) => Uint8Array.from(wasm.keccak256(input), (byte) => byte ^ 1) }),
      twist({ sign: (digest, key) => flip(wasm.sign(digest, key)) }),
      twist({ publicKey: (key) => flip(wasm.publicKey(key)) }),
    ];
    for (const load of broken) expect((await loadSigningEngine(load)).name).toBe('noble');
    expect((await loadSigningEngine(twist({}))).name).toBe('wasm');
  });
});
