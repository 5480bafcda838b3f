import { Problem, type ProblemCode } from '../problem/index.js';
import { decodeUtf8 } from './text.js';

/** Bytes as `0x` and two hexadecimal digits each. */
export type Hex = `0x${string}`;

const digits = new Uint8Array(16);
const values = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value += 1) {
  const lower = value.toString(16);
  digits[value] = lower.charCodeAt(0);
  values[lower.charCodeAt(0)] = value;
  values[lower.toUpperCase().charCodeAt(0)] = value;
}

/** `0x` and the lower-case hexadecimal digits of `bytes`. Total. */
export function encodeHex(bytes: Uint8Array): Hex {
  const out = new Uint8Array(bytes.length * 2);
  let to = 0;
  for (const byte of bytes) {
    out[to] = digits[byte >> 4] ?? 0;
    out[to + 1] = digits[byte & 15] ?? 0;
    to += 2;
  }
  return `0x${decodeUtf8(out)}`;
}

/** The bytes of `0x`-prefixed hex; digits of either case. Refuses any other text: Problem `code`. */
export function decodeHex(text: string, code: ProblemCode = 'request/malformed'): Uint8Array {
  if (text.length % 2 === 0 && text.startsWith('0x')) {
    const out = new Uint8Array(text.length / 2 - 1);
    if (writeHex(text, out, 0)) return out;
  }
  throw new Problem(code, 'The text is not 0x-prefixed hexadecimal.');
}

/**
 * Writes the digits after the `0x` of `text` into `target` from `offset`, without allocating; the caller has checked
 * the length. False if a character is not a hexadecimal digit; `target` is then half written and must not be used.
 */
export function writeHex(text: string, target: Uint8Array, offset: number): boolean {
  let seen = 0;
  let to = offset;
  for (let from = 2; from < text.length; from += 2) {
    const high = values[text.charCodeAt(from)] ?? -1;
    const low = values[text.charCodeAt(from + 1)] ?? -1;
    seen |= high | low;
    target[to] = (high << 4) | low;
    to += 1;
  }
  return seen >= 0;
}
