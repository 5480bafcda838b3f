import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { SignatureJob } from './signature-pool.js';

const keyObjects = new Map<string, KeyObject | null>();

/** Null where `x` is no key: nothing is signed by it. */
function keyObjectOf(x: string): KeyObject | null {
  const known = keyObjects.get(x);
  if (known !== undefined) return known;
  let key: KeyObject | null = null;
  try {
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  } catch {
    // Told to whoever asks.
  }
  keyObjects.set(x, key);
  return key;
}

parentPort?.on('message', ({ heads, bytes, keys }: SignatureJob) => {
  const verdicts = new Uint8Array(heads.length / 3);
  let at = 0;
  for (let index = 0; index < verdicts.length; index += 1) {
    const [key = 0, signatureLength = 0, messageLength = 0] = heads.subarray(index * 3, index * 3 + 3);
    const signature = bytes.subarray(at, at + signatureLength);
    const message = bytes.subarray(at + signatureLength, at + signatureLength + messageLength);
    at += signatureLength + messageLength;
    const keyObject = keyObjectOf(keys[key] ?? '');
    verdicts[index] = keyObject !== null && verify(null, message, keyObject, signature) ? 1 : 0;
  }
  parentPort?.postMessage(verdicts, [verdicts.buffer]);
});
