import { hash } from 'node:crypto';

/**
 * The id that follows from `name`: the same name always gives the same id, so that what is written twice is written
 * once. A UUIDv8 made of SHA-256 (RFC 9562 §5.8).
 */
export function deriveId(name: string): string {
  const bytes = hash('sha256', name, 'buffer').subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
