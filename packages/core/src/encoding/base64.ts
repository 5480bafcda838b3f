import { Problem, type ProblemCode } from '../problem/index.js';
import { decodeUtf8 } from './text.js';

interface Alphabet {
  readonly codes: Uint8Array;
  readonly values: Int8Array;
}

const standard = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const url = alphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/** Base64 of `bytes` in the standard alphabet, padded, as every x402 header carries it (RFC 4648, section 4). Total. */
export function encodeBase64(bytes: Uint8Array): string {
  return encode(bytes, standard, true);
}

/**
 * The bytes of standard base64. Padding may be left out, as x402 allows; if there, it must be right. Refuses any other
 * character, an impossible length and stray bits in the last character: Problem `code`.
 */
export function decodeBase64(text: string, code: ProblemCode = 'request/malformed'): Uint8Array {
  let end = text.length;
  if (end > 0 && end % 4 === 0) {
    if (text.charCodeAt(end - 1) === 0x3d) end -= 1;
    if (text.charCodeAt(end - 1) === 0x3d) end -= 1;
  }
  return decode(end === text.length ? text : text.slice(0, end), standard, code);
}

/** Base64url of `bytes` without padding (RFC 4648, section 5; RFC 7515, section 2). Total. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encode(bytes, url, false);
}

/**
 * The bytes of unpadded base64url. Canonical only: encoding the result gives the same text, so one JWS has one
 * spelling. Refuses anything else: Problem `code`.
 */
export function decodeBase64Url(text: string, code: ProblemCode = 'request/malformed'): Uint8Array {
  return decode(text, url, code);
}

function alphabet(characters: string): Alphabet {
  const codes = new Uint8Array(64);
  const values = new Int8Array(128).fill(-1);
  for (let value = 0; value < 64; value += 1) {
    codes[value] = characters.charCodeAt(value);
    values[characters.charCodeAt(value)] = value;
  }
  return { codes, values };
}

// Characters become text at once, so one buffer serves all but the longest; a fresh one costs as much as the encoding.
const scratch = new Uint8Array(16_384);

function encode(bytes: Uint8Array, { codes }: Alphabet, padded: boolean): string {
  const left = bytes.length % 3;
  const whole = bytes.length - left;
  const characters = (whole / 3) * 4 + (left === 0 ? 0 : padded ? 4 : left + 1);
  const out = characters <= scratch.length ? scratch.subarray(0, characters) : new Uint8Array(characters);
  let to = 0;
  for (let from = 0; from < whole; from += 3) {
    const word = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    out[to] = codes[word >> 18] ?? 0;
    out[to + 1] = codes[(word >> 12) & 63] ?? 0;
    out[to + 2] = codes[(word >> 6) & 63] ?? 0;
    out[to + 3] = codes[word & 63] ?? 0;
    to += 4;
  }
  if (left > 0) {
    const word = ((bytes[whole] ?? 0) << 16) | ((bytes[whole + 1] ?? 0) << 8);
    out[to] = codes[word >> 18] ?? 0;
    out[to + 1] = codes[(word >> 12) & 63] ?? 0;
    if (left === 2) out[to + 2] = codes[(word >> 6) & 63] ?? 0;
    if (padded) out.fill(0x3d, to + left + 1);
  }
  return decodeUtf8(out);
}

function decode(text: string, { values }: Alphabet, code: ProblemCode): Uint8Array {
  const left = text.length % 4;
  const whole = text.length - left;
  const out = new Uint8Array((text.length * 3) >> 2);
  let to = 0;
  // A character outside the alphabet has value -1 and a code unit beyond the table none: either makes `seen` negative.
  let seen = left === 1 ? -1 : 0;
  for (let from = 0; from < whole; from += 4) {
    const a = values[text.charCodeAt(from)] ?? -1;
    const b = values[text.charCodeAt(from + 1)] ?? -1;
    const c = values[text.charCodeAt(from + 2)] ?? -1;
    const d = values[text.charCodeAt(from + 3)] ?? -1;
    seen |= a | b | c | d;
    const word = (a << 18) | (b << 12) | (c << 6) | d;
    out[to] = word >> 16;
    out[to + 1] = word >> 8;
    out[to + 2] = word;
    to += 3;
  }
  if (left > 1) {
    const a = values[text.charCodeAt(whole)] ?? -1;
    const b = values[text.charCodeAt(whole + 1)] ?? -1;
    const c = left === 3 ? (values[text.charCodeAt(whole + 2)] ?? -1) : 0;
    seen |= a | b | c;
    const word = (a << 18) | (b << 12) | (c << 6);
    out[to] = word >> 16;
    if (left === 3) out[to + 1] = word >> 8;
    // Bits below the last byte must be zero, or several texts would decode to the same bytes.
    if ((word & (left === 3 ? 0xff : 0xffff)) !== 0) seen = -1;
  }
  if (seen < 0) throw new Problem(code, 'The text is not canonical base64.');
  return out;
}
