import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { decodeHex, encodeHex } from '../encoding/index.js';
import type { Address } from './network.js';
import type { Keccak256 } from './typed-data.js';

/** Recovers the signer of a digest, as the token contract does. */
export interface SignatureVerifier {
  /** Which implementation runs. `noble` is some twenty times slower: on a server it is a reason for an alarm. */
  readonly engine: 'wasm' | 'noble';
  readonly keccak256: Keccak256;
  /**
   * The lower-case address whose key signed the 32-byte `digest`, or null if there is none. The signature is r, s and
   * v, 65 bytes. Refuses what Circle's `ECRecover.sol` refuses: an s above n/2 and a v that is not 27 or 28; a v of 0
   * or 1 counts as 27 or 28, and must be rewritten before it goes on the chain. Total.
   */
  readonly recoverAddress: (digest: Uint8Array, signature: Uint8Array) => Address | null;
}

/** The primitives under a verifier. */
export interface RecoveryEngine {
  readonly keccak256: Keccak256;
  /** The 65-byte public key from 65 bytes (recovery bit, r, s) and a 32-byte digest. Throws if there is none. */
  readonly recoverPublicKey: (signature: Uint8Array, digest: Uint8Array) => Uint8Array;
}

// n/2 of secp256k1 (SEC 2, section 2.4.1), above which s has a twin that recovers the same key (EIP-2).
const halfOrder = decodeHex('0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0');

/** The audited JavaScript implementation, which runs everywhere. */
export const nobleEngine: RecoveryEngine = {
  keccak256: keccak_256,
  recoverPublicKey: (signature, digest) =>
    secp256k1.Signature.fromBytes(signature, 'recovered').recoverPublicKey(digest).toBytes(false),
};

/** A verifier over `engine`, which must be known to work. */
export function createVerifier(
  engine: SignatureVerifier['engine'],
  { keccak256, recoverPublicKey }: RecoveryEngine,
): SignatureVerifier {
  const recoverable = new Uint8Array(65);
  return {
    engine,
    keccak256,
    recoverAddress(digest, signature) {
      const recovery = recoveryBit(signature);
      if (recovery === null || digest.length !== 32 || hasHighS(signature)) return null;
      recoverable[0] = recovery;
      recoverable.set(signature.subarray(0, 64), 1);
      try {
        const key = recoverPublicKey(recoverable, digest);
        return encodeHex(keccak256(key.subarray(1)).subarray(12));
      } catch {
        // r or s is zero or not below n, or r is no point of the curve: nobody signed this.
        return null;
      }
    },
  };
}

function recoveryBit(signature: Uint8Array): 0 | 1 | null {
  if (signature.length !== 65) return null;
  const v = signature[64];
  if (v === 27 || v === 0) return 0;
  return v === 28 || v === 1 ? 1 : null;
}

function hasHighS(signature: Uint8Array): boolean {
  for (let index = 0; index < 32; index += 1) {
    const difference = (signature[32 + index] ?? 0) - (halfOrder[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
