import { createPublicKey, hash, type KeyObject, sign } from 'node:crypto';
import type { ReceiptSigner } from '@keyfare/core/receipt';

/** The public half of a signing key, as JWKS publishes it. */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** The public half, as a JWK (RFC 8037). */
export function publicJwk(key: KeyObject): PublicJwk {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  if (x === undefined) throw new TypeError('the key has no public half');
  return { kty: 'OKP', crv: 'Ed25519', x };
}

/** Signs in OpenSSL: constant time, and the secret stays out of the JavaScript heap. */
export function createSigner(key: KeyObject, kid: string): ReceiptSigner {
  return { kid, sign: (bytes) => sign(null, bytes, key) };
}

/** SHA-256 of a signed document, as the log keeps it. */
export function documentDigest(jws: string): Buffer {
  return hash('sha256', jws, 'buffer');
}
