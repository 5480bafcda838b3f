import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { recoverAddress as recoverByViem, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { flipBit } from '../../test/fuzz.js';
import { signatureBytes } from '../../test/payer.js';
import { decodeHex, encodeHex } from '../encoding/index.js';
import { loadSignatureVerifier, type RecoveryEngine } from './index.js';

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const wasm = await loadSignatureVerifier();
const noble = await loadSignatureVerifier(() => Promise.reject(new Error('no WebAssembly here')));
const verifiers = [wasm, noble];
const working: RecoveryEngine = {
  keccak256: wasm.keccak256,
  recoverPublicKey: (await (await import('ox/wasm/Secp256k1')).engine()).recoverPublicKey,
};

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const privateKey = fc.bigInt({ min: 1n, max: order - 1n });
const signed = fc.tuple(privateKey, digest);

async function sign(
  key: bigint,
  hash: Uint8Array,
): Promise<{ readonly signature: Uint8Array; readonly address: string }> {
  const account = privateKeyToAccount(toHex(key, { size: 32 }));
  const signature = await account.sign({ hash: toHex(hash) });
  return { signature: signatureBytes(signature), address: account.address.toLowerCase() };
}

function withS(signature: Uint8Array, s: bigint, v: number): Uint8Array {
  const out = Uint8Array.from(signature);
  out.set(decodeHex(toHex(s, { size: 32 })), 32);
  out[64] = v;
  return out;
}

const sOf = (signature: Uint8Array) => BigInt(encodeHex(signature.subarray(32, 64)));

test('the WebAssembly engine loads here and passes its self-test', () => {
  expect(wasm.engine).toBe('wasm');
});

test('without WebAssembly the verifier is noble, and says so', () => {
  expect(noble.engine).toBe('noble');
});

const broken: readonly (readonly [string, RecoveryEngine])[] = [
  ['always answers the same key', { ...working, recoverPublicKey: () => working.recoverPublicKey(...constant()) }],
  ['always refuses', { ...working, recoverPublicKey: refuse }],
  ['hashes wrongly', { ...working, keccak256: (bytes) => flipBit(working.keccak256(bytes), 7) }],
  ['hashes wrongly beyond one block', { ...working, keccak256: (bytes) => working.keccak256(bytes.subarray(0, 136)) }],
  [
    'ignores the recovery bit',
    {
      ...working,
      recoverPublicKey: (sig, hash) => working.recoverPublicKey(flipBit(sig, sig[0] === 1 ? 0 : 700), hash),
    },
  ],
  ['looks at the signature only', { ...working, recoverPublicKey: rememberKeys() }],
  ['returns nothing', { ...working, recoverPublicKey: () => new Uint8Array(0) }],
];

function rememberKeys(): RecoveryEngine['recoverPublicKey'] {
  const keys = new Map<string, Uint8Array>();
  return (signature, hash) => {
    const name = encodeHex(signature);
    const key = keys.get(name) ?? working.recoverPublicKey(signature, hash);
    keys.set(name, key);
    return key;
  };
}

function refuse(): never {
  throw new Error('refused');
}

function constant(): readonly [Uint8Array, Uint8Array] {
  const recoverable = new Uint8Array(65);
  recoverable.set(
    decodeHex(
      '0x7a37567b0f32609d8396e2ef1d60ce9de9ed1473c1cda27a57104a19fe0a9a073e5d973ea1569fab225756813d18581bc69701d316db028d101d7a77757a6e48',
    ),
    1,
  );
  recoverable[0] = 1;
  return [recoverable, decodeHex('0x978f410e6cc4d8dd547fe4ce5dc426294502abf1eb4761c7341982aeb6a48cf1')];
}

test.each(broken)('an engine that %s fails the self-test, and noble takes over', async (_fault, engine) => {
  const verifier = await loadSignatureVerifier(() => Promise.resolve(engine));
  expect(verifier.engine).toBe('noble');
  const { signature, address } = await sign(5n, new Uint8Array(32).fill(9));
  expect(verifier.recoverAddress(new Uint8Array(32).fill(9), signature)).toBe(address);
});

test('both engines recover the signer that viem recovers', async () => {
  await fc.assert(
    fc.asyncProperty(signed, async ([key, hash]) => {
      const { signature, address } = await sign(key, hash);
      for (const verifier of verifiers) expect(verifier.recoverAddress(hash, signature)).toBe(address);
    }),
    { numRuns: 60 },
  );
});

test('both engines hash alike, whatever the length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      expect(encodeHex(wasm.keccak256(bytes))).toBe(encodeHex(noble.keccak256(bytes)));
    }),
  );
});

test('the twin of a signature with s in the upper half is refused, though viem takes it', async () => {
  await fc.assert(
    fc.asyncProperty(signed, async ([key, hash]) => {
      const { signature, address } = await sign(key, hash);
      const twin = withS(signature, order - sOf(signature), signature[64] === 27 ? 28 : 27);
      expect((await recoverByViem({ hash, signature: twin })).toLowerCase()).toBe(address);
      for (const verifier of verifiers) expect(verifier.recoverAddress(hash, twin)).toBeNull();
    }),
    { numRuns: 20 },
  );
});

test('s may be n/2 and not one more, as the contract says', () => {
  const hash = new Uint8Array(32).fill(1);
  const base = new Uint8Array(65);
  base.set(decodeHex('0x7a37567b0f32609d8396e2ef1d60ce9de9ed1473c1cda27a57104a19fe0a9a07'));
  for (const verifier of verifiers) {
    expect(verifier.recoverAddress(hash, withS(base, order / 2n, 27))).not.toBeNull();
    expect(verifier.recoverAddress(hash, withS(base, order / 2n + 1n, 27))).toBeNull();
  }
});

test('v is 27 or 28, or 0 or 1 in their place; no other value is taken', async () => {
  const hash = new Uint8Array(32).fill(3);
  const { signature, address } = await sign(77n, hash);
  const s = sOf(signature);
  const v = signature[64] ?? 0;
  for (const verifier of verifiers) {
    const taken = Array.from({ length: 256 }, (_, value) => value).filter(
      (value) => verifier.recoverAddress(hash, withS(signature, s, value)) === address,
    );
    expect(taken).toEqual([v - 27, v]);
    const answered = Array.from({ length: 256 }, (_, value) => value).filter(
      (value) => verifier.recoverAddress(hash, withS(signature, s, value)) !== null,
    );
    expect(answered).toEqual([0, 1, 27, 28]);
  }
});

test('zero, n and anything larger is no r and no s', async () => {
  const hash = new Uint8Array(32).fill(3);
  const { signature } = await sign(77n, hash);
  for (const verifier of verifiers) {
    expect(verifier.recoverAddress(hash, withS(signature, 0n, 27))).toBeNull();
    for (const r of [0n, order, order + 1n, (1n << 256n) - 1n]) {
      const changed = Uint8Array.from(signature);
      changed.set(decodeHex(toHex(r, { size: 32 })));
      expect(verifier.recoverAddress(hash, changed)).toBeNull();
    }
  }
});

test('a signature that is not of 65 bytes, or a digest that is not of 32, has no signer', async () => {
  const hash = new Uint8Array(32).fill(3);
  const { signature } = await sign(77n, hash);
  for (const verifier of verifiers) {
    for (const length of [0, 1, 64, 66]) {
      const other = new Uint8Array(length);
      other.set(signature.subarray(0, Math.min(65, length)));
      expect(verifier.recoverAddress(hash, other)).toBeNull();
    }
    for (const length of [0, 31, 33]) expect(verifier.recoverAddress(new Uint8Array(length), signature)).toBeNull();
  }
});

test('one flipped bit, in the signature or the digest, gives another signer or none, the same for both engines', async () => {
  await fc.assert(
    fc.asyncProperty(
      signed,
      fc.nat({ max: 65 * 8 - 1 }),
      fc.nat({ max: 255 }),
      async ([key, hash], inSignature, inHash) => {
        const { signature, address } = await sign(key, hash);
        const changes = [
          [hash, flipBit(signature, inSignature)],
          [flipBit(hash, inHash), signature],
        ] as const;
        for (const [changedHash, changedSignature] of changes) {
          const answer = wasm.recoverAddress(changedHash, changedSignature);
          expect(answer).not.toBe(address);
          expect(noble.recoverAddress(changedHash, changedSignature)).toBe(answer);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('whatever the bytes, both engines answer, and answer alike', () => {
  const v = fc.constantFrom(0, 1, 27, 28, 29);
  const bytes = fc.oneof(
    fc.tuple(fc.uint8Array({ minLength: 64, maxLength: 64 }), v).map(([body, last]) => Uint8Array.of(...body, last)),
    fc.uint8Array({ maxLength: 70 }),
  );
  fc.assert(
    fc.property(bytes, digest, (signature, hash) => {
      expect(wasm.recoverAddress(hash, signature)).toBe(noble.recoverAddress(hash, signature));
    }),
    { numRuns: 150 },
  );
});
