import { utf8 } from '@keyfare/core/encoding';

/** A column of rows that go into one statement: its type in SQL, and how an array of it is encoded. */
export interface RowColumn<Item> {
  readonly type: string;
  /** The column of all items as Postgres's binary array. */
  readonly encode: (items: readonly Item[]) => Buffer;
}

/** The rows of one statement, column by column. */
export interface Rows<Item> {
  /** `unnest($1::uuid[], …) as t(id, …)`, with its first parameter at `first` (default 1). */
  readonly source: (first?: number) => string;
  /** How many parameters it takes. */
  readonly size: number;
  /** The parameters, in the order of `source`. */
  readonly values: (items: readonly Item[]) => readonly Buffer[];
}

/**
 * Pairs the names of columns with their types and values, for a statement over many items.
 *
 * @example
 * const calls = rows<Call>({ id: uuids((call) => call.id), units: bigints((call) => call.units) });
 * await sql.query({ text: `insert into t (id, units) select id, units from ${calls.source()}`, values: calls.values(items) });
 */
export function rows<Item>(columns: Readonly<Record<string, RowColumn<Item>>>): Rows<Item> {
  const names = Object.keys(columns);
  const list = Object.values(columns);
  return {
    size: list.length,
    source: (first = 1) => {
      const parameters = list.map(({ type }, index) => `$${first + index}::${type}[]`);
      return `unnest(${parameters.join(', ')}) as t(${names.join(', ')})`;
    },
    values: (items) => list.map(({ encode }) => encode(items)),
  };
}

type Read<Item, Value> = (item: Item) => Value | null | undefined;

/** A column of UUIDs. */
export function uuids<Item>(read: Read<Item, string>): RowColumn<Item> {
  return column(read, { type: 'uuid', oid: 2950, size: () => 16, write: writeUuid });
}

/** A column of text. */
export function texts<Item>(read: Read<Item, string>): RowColumn<Item> {
  return bytesColumn((item) => toBytes(read(item)), { type: 'text', oid: 25 });
}

/** A column of bytes. */
export function bytes<Item>(read: Read<Item, Uint8Array>): RowColumn<Item> {
  return bytesColumn(read, { type: 'bytea', oid: 17 });
}

/** A column of 64-bit integers. A larger one: RangeError. */
export function bigints<Item>(read: Read<Item, bigint>): RowColumn<Item> {
  return column(read, {
    type: 'bigint',
    oid: 20,
    size: () => 8,
    write: (buffer, value, at) => buffer.writeBigInt64BE(value, at),
  });
}

/** A column of times. */
export function times<Item>(read: Read<Item, Date>): RowColumn<Item> {
  return column(read, {
    type: 'timestamptz',
    oid: 1184,
    size: () => 8,
    write: (buffer, value, at) => buffer.writeBigInt64BE(BigInt(value.getTime() - epochMs) * 1000n, at),
  });
}

/** A column of truth values. */
export function booleans<Item>(read: Read<Item, boolean>): RowColumn<Item> {
  return column(read, {
    type: 'boolean',
    oid: 16,
    size: () => 1,
    write: (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at),
  });
}

// Postgres counts microseconds from the year 2000.
const epochMs = Date.UTC(2000, 0, 1);

interface Encoding<Value> {
  readonly type: string;
  /** The type's number in `pg_type`, the same in every Postgres. */
  readonly oid: number;
  readonly size: (value: Value) => number;
  readonly write: (buffer: Buffer, value: Value, at: number) => unknown;
}

function bytesColumn<Item>(
  read: Read<Item, Uint8Array>,
  { type, oid }: { type: string; oid: number },
): RowColumn<Item> {
  return column(read, {
    type,
    oid,
    size: (value) => value.length,
    write: (buffer, value, at) => buffer.set(value, at),
  });
}

/** PostgreSQL `array_recv`: dimensions, whether nulls occur, type, length, lower bound; then each length and value. */
function column<Item, Value>(read: Read<Item, Value>, { type, oid, size, write }: Encoding<Value>): RowColumn<Item> {
  return {
    type,
    encode: (items) => {
      const values = items.map(read);
      let length = items.length === 0 ? 12 : 20;
      for (const value of values) length += 4 + (value === null || value === undefined ? 0 : size(value));
      const buffer = Buffer.allocUnsafe(length);
      buffer.writeInt32BE(items.length === 0 ? 0 : 1, 0);
      buffer.writeInt32BE(values.some((value) => value === null || value === undefined) ? 1 : 0, 4);
      buffer.writeInt32BE(oid, 8);
      if (items.length === 0) return buffer;
      buffer.writeInt32BE(items.length, 12);
      buffer.writeInt32BE(1, 16);
      let at = 20;
      for (const value of values) {
        if (value === null || value === undefined) {
          at = buffer.writeInt32BE(-1, at);
          continue;
        }
        const bytesOfValue = size(value);
        at = buffer.writeInt32BE(bytesOfValue, at);
        write(buffer, value, at);
        at += bytesOfValue;
      }
      return buffer;
    },
  };
}

function toBytes(text: string | null | undefined): Uint8Array | null {
  return text === null || text === undefined ? null : utf8(text);
}

function writeUuid(buffer: Buffer, uuid: string, at: number): void {
  const hex = uuid.replaceAll('-', '');
  // Node writes what it can and is silent about the rest, which would leave old memory in the value.
  if (hex.length !== 32 || buffer.write(hex, at, 16, 'hex') !== 16) throw new TypeError(`not a UUID: ${uuid}`);
}
