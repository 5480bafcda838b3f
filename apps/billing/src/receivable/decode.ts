/** How a file of text is encoded, as far as banks go. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

// What Windows-1252 has at 0x80 to 0x9f, where Latin-1 has control characters; a blank stands for a byte that it lacks.
const windows = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

/**
 * The text of a file and its encoding, without a byte order mark: by the mark, else UTF-16 where one half of the first
 * character is zero, else UTF-8 where the bytes are valid UTF-8, else Windows-1252. Null for what is none of them.
 */
export function decodeText(bytes: Uint8Array): { readonly text: string; readonly encoding: Encoding } | null {
  const encoding = encodingOf(bytes);
  if (encoding !== null) {
    const text = decode(bytes, encoding);
    return text === null ? null : { text, encoding };
  }
  const text = decode(bytes, 'utf-8');
  if (text !== null) return { text, encoding: 'utf-8' };
  return bytes.some((byte) => byte >= 0x80 && byte < 0xa0 && windows[byte - 0x80] === ' ')
    ? null
    : { text: fromWindows(bytes), encoding: 'windows-1252' };
}

function encodingOf([first, second, third]: Uint8Array): Exclude<Encoding, 'windows-1252'> | null {
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  if (first === undefined || second === undefined) return null;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return null;
}

/** Null where a byte sequence is none of the encoding. */
function decode(bytes: Uint8Array, encoding: Exclude<Encoding, 'windows-1252'>): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

// Not by TextDecoder: Node's took Windows-1252 for Latin-1 in several releases.
function fromWindows(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[\u0080-\u009f]/g, (letter) => windows[letter.charCodeAt(0) - 0x80] ?? letter);
}
