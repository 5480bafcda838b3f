import { parentPort } from 'node:worker_threads';
import type { SignatureJob } from './signature-pool.js';
import { checkSignature, publicKeyOf } from './verify-ed25519.js';

parentPort?.on('message', ({ heads, bytes, keys }: SignatureJob) => {
  const publicKeys = keys.map(publicKeyOf);
  const verdicts = new Uint8Array(heads.length / 3);
  let at = 0;
  for (let index = 0; index < verdicts.length; index += 1) {
    const [key = 0, signatureLength = 0, messageLength = 0] = heads.subarray(index * 3, index * 3 + 3);
    const signature = bytes.subarray(at, at + signatureLength);
    const message = bytes.subarray(at + signatureLength, at + signatureLength + messageLength);
    at += signatureLength + messageLength;
    const publicKey = publicKeys[key];
    verdicts[index] = publicKey !== undefined && checkSignature(signature, message, publicKey) ? 1 : 0;
  }
  parentPort?.postMessage(verdicts, [verdicts.buffer]);
});
