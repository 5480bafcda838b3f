import * as fc from 'fast-check';
import { isProblem, type ProblemCode } from '../src/problem/index.js';

/** Text of every kind: any code unit, ASCII, and the alphabets that decoders look for. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
  fc.base64String({ maxLength: 400 }),
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEFx.$-_=')), maxLength: 140 }),
);

/** A text with one character replaced, removed or inserted. */
export function anyMutation(text: string): fc.Arbitrary<string> {
  const place = fc.nat({ max: Math.max(0, text.length - 1) });
  const character = fc.string({ unit: 'grapheme-ascii', minLength: 0, maxLength: 1 });
  return fc
    .tuple(place, character, fc.nat({ max: 1 }))
    .map(([at, put, drop]) => text.slice(0, at) + put + text.slice(at + drop));
}

/** The code of the Problem that `act` throws, or null if it returns. Anything else that is thrown goes on. */
export function codeOf(act: () => unknown): ProblemCode | null {
  try {
    act();
    return null;
  } catch (error) {
    if (isProblem(error)) return error.code;
    throw error;
  }
}

/** `bytes` with one bit flipped. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
