import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { decodeHex, type Hex } from '../src/encoding/index.js';
import type { EntryKind } from '../src/log/index.js';
import type { Ed25519Jwk, Jwks, KeyReceipt, ReceiptSigner, X402Receipt } from '../src/receipt/index.js';
import { readVectors } from './vectors.js';

interface SignedDocument {
  readonly title: string;
  readonly kind: EntryKind;
  readonly payload: object;
  readonly jws: string;
}

interface RefusedDocument {
  readonly title: string;
  readonly jws: string;
  readonly reason: 'malformed' | 'unknown-key' | 'bad-signature';
}

/** The signed documents of `vectors/receipts.json`. */
export const vectors = readVectors('receipts') as {
  readonly seed: Hex;
  readonly thumbprint: string;
  readonly jwks: Jwks;
  readonly documents: readonly SignedDocument[];
  readonly refused: readonly RefusedDocument[];
};

// The PKCS#8 wrapping of an Ed25519 seed (RFC 8410, section 7).
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The private key of the vectors, as OpenSSL holds it. */
export const privateKey: KeyObject = createPrivateKey({
  key: Buffer.concat([pkcs8, decodeHex(vectors.seed)]),
  format: 'der',
  type: 'pkcs8',
});

/** Signs with the key of the vectors through OpenSSL, as a server does. */
export const signer: ReceiptSigner = {
  kid: vectors.jwks.keys[0]?.kid ?? '',
  sign: (bytes) => Uint8Array.from(sign(null, bytes, privateKey)),
};

const publicKeys = new WeakMap<Ed25519Jwk, KeyObject>();

/** Verifies through OpenSSL, as a server does: one key object for each JWK. */
export function verifyWithOpenSsl(signature: Uint8Array, message: Uint8Array, jwk: Ed25519Jwk): boolean {
  const key = publicKeys.get(jwk) ?? createPublicKey({ key: { ...jwk }, format: 'jwk' });
  publicKeys.set(jwk, key);
  return verify(null, message, key, signature);
}

/** The document of the vectors with this title. */
export function documentOf(title: string): SignedDocument {
  const found = vectors.documents.find((document) => document.title === title);
  if (found === undefined) throw new Error(`no vector ${title}`);
  return found;
}

/** The payload of a receipt on the key rail. */
export const keyReceipt = documentOf('a call on the key rail').payload as KeyReceipt;

/** The payload of a receipt on the x402 rail. */
export const x402Receipt = documentOf('a call on the x402 rail').payload as X402Receipt;
