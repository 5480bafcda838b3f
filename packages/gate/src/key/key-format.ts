import { checksum, randomText } from '../secret-text.js';

/** An API key taken apart. */
export interface KeyParts {
  readonly environment: 'live' | 'test';
  /** Names the key in logs and caches; not secret. */
  readonly id: string;
  /** 190 bits. */
  readonly secret: string;
}

const idLength = 12;
const secretLength = 32;
const shape = /^kf_(live|test)_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})_([0-9A-Za-z]{6})$/;

/** A fresh id and secret. */
export function generateKey(environment: KeyParts['environment']): KeyParts {
  return { environment, id: randomText(idLength), secret: randomText(secretLength) };
}

/** A fresh secret for a key that keeps its id. */
export function generateSecret(): string {
  return randomText(secretLength);
}

/** What the HMAC is taken over: environment and id are bound in, so that a hash cannot be moved to another key. */
export function keyMaterial({ environment, id, secret }: KeyParts): string {
  return `kf_${environment}_${id}_${secret}`;
}

/** `kf_<live|test>_<id>_<secret>_<crc>`: underscores, so that a double click selects the whole. */
export function formatKey(parts: KeyParts): string {
  const material = keyMaterial(parts);
  return `${material}_${checksum(material)}`;
}

/** The parts, or null for anything that is not one of our keys or has a typing error: known without any look-up. */
export function parseKey(text: string): KeyParts | null {
  const match = shape.exec(text);
  if (match === null) return null;
  const [, environment, id, secret, digits] = match;
  if (id === undefined || secret === undefined) return null;
  const parts: KeyParts = { environment: environment === 'live' ? 'live' : 'test', id, secret };
  return checksum(keyMaterial(parts)) === digits ? parts : null;
}
