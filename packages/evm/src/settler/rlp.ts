/** Recursive Length Prefix (Ethereum Yellow Paper, appendix B), as far as an EIP-1559 transaction needs it. */

/** A string of bytes, with its prefix. */
export function encodeString(bytes: Uint8Array): Uint8Array {
  const [first] = bytes;
  if (bytes.length === 1 && first !== undefined && first < 0x80) return bytes;
  return concat([prefix(bytes.length, 0x80), bytes]);
}

/** A number: its big-endian bytes without leading zeros, and zero as the empty string. Throws below zero. */
export function encodeNumber(value: bigint): Uint8Array {
  if (value < 0n) throw new RangeError('RLP has no negative numbers');
  const digits = value === 0n ? '' : value.toString(16);
  return encodeString(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
}

/** A list of items that are encoded already. */
export function encodeList(items: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const item of items) length += item.length;
  return concat([prefix(length, 0xc0), ...items]);
}

/** The parts one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function prefix(length: number, base: 0x80 | 0xc0): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  const digits = length.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return concat([Uint8Array.of(base + 55 + bytes.length), bytes]);
}
