import { createHmac } from 'node:crypto';
import type { Peppers } from '../config.js';

/** HMAC-SHA-256 (RFC 2104). A slow password hash would gain nothing: the secret has 190 random bits. */
export function hashSecret(peppers: Peppers, pepperId: string, material: string): Buffer {
  const pepper = peppers.keys.get(pepperId);
  if (pepper === undefined) throw new Error(`no pepper with the id ${pepperId} is configured`);
  return createHmac('sha256', pepper).update(material).digest();
}
