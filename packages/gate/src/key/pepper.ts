import { createHmac } from 'node:crypto';
import type { Peppers } from '../config.js';

/**
 * HMAC-SHA-256 (RFC 2104). A slow password hash would gain nothing: the secret has 190 random bits. Undefined for a
 * pepper that is not configured: what was hashed with a retired one proves nothing any more.
 */
export function hashSecret(peppers: Peppers, pepperId: string, material: string): Buffer | undefined {
  const pepper = peppers.keys.get(pepperId);
  if (pepper === undefined) return undefined;
  return createHmac('sha256', pepper).update(material).digest();
}
