import { Problem, type ProblemCode } from '../problem/index.js';

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF in the text, so that no two byte strings decode to the same text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The UTF-8 bytes of `text`. A lone surrogate becomes U+FFFD, as everywhere on the web: check for it before signing.
 */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text in UTF-8 `bytes`. Refuses bytes that are not well-formed UTF-8: Problem `code`. */
export function decodeUtf8(bytes: Uint8Array, code: ProblemCode = 'request/malformed'): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Problem(code, 'The bytes are not well-formed UTF-8.');
  }
}
