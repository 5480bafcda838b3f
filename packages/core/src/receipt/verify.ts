import { hashes, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { utf8 } from '../encoding/index.js';
import { isProblem } from '../problem/index.js';
import { type DocumentKind, type Envelope, parseDocument } from './envelope.js';
import { type Ed25519Jwk, type Jwks, publicKeyOf } from './jwks.js';

/**
 * Checks one Ed25519 signature. A server gives `node:crypto` here, which is fourteen times as fast; the key comes as
 * the JWK of the set, so that the key objects made from it can be kept in a WeakMap.
 */
export type VerifyEd25519 = (signature: Uint8Array, message: Uint8Array, key: Ed25519Jwk) => boolean;

/** How to verify. */
export interface VerifyOptions {
  /** The default is @noble/ed25519, which runs everywhere. */
  readonly verifyEd25519?: VerifyEd25519 | undefined;
}

/** Whether a document is genuine: what it says and the key that signed it, or why not. */
export type Verdict<Payload> =
  | { readonly ok: true; readonly payload: Payload; readonly kid: string }
  | {
      readonly ok: false;
      readonly reason: 'malformed' | 'unknown-key' | 'bad-signature';
      /** A sentence for people. */
      readonly detail: string;
    };

interface Expectation<Payload> extends VerifyOptions {
  readonly kind: DocumentKind<Payload>;
}

/** Whether one of `keys` signed this document of the expected kind. Total: whatever the text, it answers. */
export function verifyDocument<Payload>(jws: string, keys: Jwks, expectation: Expectation<Payload>): Verdict<Payload> {
  const { kind, verifyEd25519 = verifyWithNoble } = expectation;
  let envelope: Envelope<Payload>;
  try {
    envelope = parseDocument(jws, kind);
  } catch (error) {
    if (isProblem(error)) return { ok: false, reason: 'malformed', detail: error.detail };
    throw error;
  }
  const { header, payload, signingInput, signature } = envelope;
  const key = keys.keys.find((candidate) => candidate.kid === header.kid);
  if (key === undefined || key.kty !== 'OKP' || key.crv !== 'Ed25519' || publicKeyOf(key) === null) {
    return { ok: false, reason: 'unknown-key', detail: `The key set has no usable key ${header.kid}.` };
  }
  if (!verifyEd25519(signature, utf8(signingInput), key)) {
    return { ok: false, reason: 'bad-signature', detail: 'The signature is not by this key over this document.' };
  }
  return { ok: true, payload, kid: header.kid };
}

function verifyWithNoble(signature: Uint8Array, message: Uint8Array, key: Ed25519Jwk): boolean {
  const publicKey = publicKeyOf(key);
  if (publicKey === null) return false;
  hashes.sha512 ??= sha512;
  // Its default follows ZIP 215, which takes more encodings; OpenSSL, our other verifier, follows RFC 8032.
  return verify(signature, message, publicKey, { zip215: false });
}
