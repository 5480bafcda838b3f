import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import type { VerifyEd25519 } from '@keyfare/core/receipt';

const require = createRequire(import.meta.url);

/** Whether the Ed25519 key with these 32 bytes signed the message (RFC 8032, section 5.1.7). */
export type CheckSignature = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

/** What is used of libsodium. */
interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

// RFC 8032, section 7.1, test 3.
const vector = {
  publicKey: Buffer.from('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'hex'),
  message: Buffer.from('af82', 'hex'),
  signature: Buffer.from(
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    'hex',
  ),
};

// To make one takes a tenth of the time of a check.
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

/** By OpenSSL, which every Node has. Bytes that are no key have signed nothing. */
export const checkInOpenSsl: CheckSignature = (signature, message, publicKey) => {
  try {
    const key = keyObjects.get(publicKey) ?? keyObjectOf(publicKey);
    keyObjects.set(publicKey, key);
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
};

function keyObjectOf(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

/**
 * By libsodium, in half the time. Null where its binary does not load on this platform, or does not tell a good
 * signature from a bad one.
 */
export function loadSodium(load: () => unknown = () => require('sodium-native')): CheckSignature | null {
  try {
    const sodium = load() as Sodium;
    const check: CheckSignature = (signature, message, publicKey) =>
      signature.length === 64 &&
      publicKey.length === 32 &&
      sodium.crypto_sign_verify_detached(signature, message, publicKey);
    const { signature, message, publicKey } = vector;
    const changed = Buffer.from(signature);
    changed[0] = 0x63;
    return check(signature, message, publicKey) && !check(changed, message, publicKey) ? check : null;
  } catch {
    return null;
  }
}

/** The faster one of those that this platform has. */
export const checkSignature: CheckSignature = loadSodium() ?? checkInOpenSsl;

/** The same for one who has the key as a JWK. */
export const verifyEd25519: VerifyEd25519 = (signature, message, { x }) =>
  checkSignature(signature, message, publicKeyOf(x));

const publicKeys = new Map<string, Uint8Array>();
const manyKeys = 64;

/** The bytes of `x` in a JWK (RFC 8037, section 2). */
export function publicKeyOf(x: string): Uint8Array {
  const known = publicKeys.get(x);
  if (known !== undefined) return known;
  if (publicKeys.size >= manyKeys) publicKeys.clear();
  const bytes = Buffer.from(x, 'base64url');
  publicKeys.set(x, bytes);
  return bytes;
}
