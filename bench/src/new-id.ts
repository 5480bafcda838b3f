import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(4_096);
let used = pool.length;

/** A UUIDv7 (RFC 9562, section 5.7). */
export function newId(at: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  pool.writeUIntBE(at, used, 6);
  pool[used + 6] = ((pool[used + 6] ?? 0) & 0x0f) | 0x70;
  pool[used + 8] = ((pool[used + 8] ?? 0) & 0x3f) | 0x80;
  const hex = pool.toString('hex', used, used + 16);
  used += 16;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
