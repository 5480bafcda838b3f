import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** An API key taken apart. */
export interface KeyParts {
  readonly environment: 'live' | 'test';
  /** Names the key in logs and caches; not secret. */
  readonly id: string;
  /** 190 bits. */
  readonly secret: string;
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const idLength = 12;
const secretLength = 32;
const checksumLength = 6;
const shape = /^kf_(live|test)_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})_([0-9A-Za-z]{6})$/;

function randomText(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < checksumLength; index += 1) {
    digits = `${alphabet[rest % alphabet.length]}${digits}`;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

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
