import { hash } from 'node:crypto';

/**
 * Which request a payment was presented with. x402 signs the money, not the request; the first presentation binds it.
 */
export function requestFingerprint(method: string, url: string, requestDigest: string | undefined): Buffer {
  return Buffer.from(hash('sha256', `${method}\n${url}\n${requestDigest ?? ''}`, 'hex'), 'hex');
}
