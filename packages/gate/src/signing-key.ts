import { createPrivateKey, type KeyObject } from 'node:crypto';

/** Reads an Ed25519 private key in PKCS#8 PEM. Throws a `TypeError` for any other key. */
export function readSigningKey(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('the receipt signing key must be an Ed25519 key');
  return key;
}
