/** Object ids of element types in pg_type. */
export const oid = { bytea: 17, int8: 20, text: 25, timestamptz: 1_184, uuid: 2_950 } as const;

/** A one-dimensional array without nulls in PostgreSQL's binary form, as `array_recv` reads it. */
export function binaryArray(elementOid: number, items: readonly Buffer[]): Buffer {
  const size = items.reduce((sum, item) => sum + 4 + item.length, 20);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(0, 4);
  bytes.writeInt32BE(elementOid, 8);
  bytes.writeInt32BE(items.length, 12);
  bytes.writeInt32BE(1, 16);
  let offset = 20;
  for (const item of items) {
    offset = bytes.writeInt32BE(item.length, offset);
    offset += item.copy(bytes, offset);
  }
  return bytes;
}

const postgresEpochMs = Date.UTC(2000, 0, 1);

/** A `timestamptz`: microseconds since 2000-01-01. */
export function bytesOfTime(milliseconds: number): Buffer {
  return bytesOfInt64(BigInt(milliseconds - postgresEpochMs) * 1_000n);
}

/** A `bigint`. */
export function bytesOfInt64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** A `uuid`. */
export function bytesOfUuid(text: string): Buffer {
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}
