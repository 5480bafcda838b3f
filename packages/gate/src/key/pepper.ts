import { createHmac, type KeyObject } from 'node:crypto';

/** Secrets kept outside the database, without which a stolen or altered table of hashes proves nothing. */
export interface Peppers {
  /** The one that new secrets are hashed with. */
  readonly current: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** HMAC-SHA-256 (RFC 2104). A slow password hash would gain nothing: the secret has 190 random bits. */
export function hashSecret(peppers: Peppers, pepperId: string, material: string): Buffer {
  const pepper = peppers.keys.get(pepperId);
  if (pepper === undefined) throw new Error(`no pepper with the id ${pepperId} is configured`);
  return createHmac('sha256', pepper).update(material).digest();
}
