/** A column of rows that go into one statement: its type in SQL, and how an array of it is encoded. */
export interface RowColumn<Item> {
  readonly type: string;
  /** Reads the values of all items, each once. */
  readonly read: (items: readonly Item[]) => ColumnValues;
}

/** The values of one column. */
export interface ColumnValues {
  /** No fewer bytes than their array takes. */
  readonly room: number;
  /** Writes them as Postgres's binary array at `at`, and answers where it ends. */
  readonly write: (buffer: Buffer, at: number) => number;
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
 * await sql.query({ text: `insert into t (id, units) select id, units from ${calls.source()}`, values:
 * calls.values(items) });
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
    values: (items) => {
      const columnValues = list.map(({ read }) => read(items));
      let room = 0;
      for (const one of columnValues) room += one.room;
      // One buffer for all columns: beyond 4 KiB, Node takes each from the operating system.
      const buffer = Buffer.allocUnsafe(room);
      let at = 0;
      return columnValues.map((one) => {
        const start = at;
        at = one.write(buffer, start);
        return buffer.subarray(start, at);
      });
    },
  };
}

type Read<Item, Value> = (item: Item) => Value | null | undefined;

/** A column of UUIDs, in their text form of 36 characters. Any other text: TypeError. */
export function uuids<Item>(read: Read<Item, string>): RowColumn<Item> {
  return fixedColumn(read, { type: 'uuid', oid: 2950, width: 16, write: writeUuid });
}

/** A column of text. */
export function texts<Item>(read: Read<Item, string>): RowColumn<Item> {
  // A UTF-16 code unit takes three bytes at most.
  return column(read, {
    type: 'text',
    oid: 25,
    room: (text) => text.length * 3,
    write: (buffer, text, at) => (text === '' ? 0 : buffer.write(text, at, 'utf8')),
  });
}

/** A column of bytes. */
export function bytes<Item>(read: Read<Item, Uint8Array>): RowColumn<Item> {
  return column(read, {
    type: 'bytea',
    oid: 17,
    room: (value) => value.length,
    write: (buffer, value, at) => {
      buffer.set(value, at);
      return value.length;
    },
  });
}

/** A column of 64-bit integers. A larger one: RangeError. */
export function bigints<Item>(read: Read<Item, bigint>): RowColumn<Item> {
  return fixedColumn(read, { type: 'bigint', oid: 20, width: 8, write: writeBigint });
}

/** A column of 16-bit integers. A larger one: RangeError. */
export function smallints<Item>(read: Read<Item, number>): RowColumn<Item> {
  return fixedColumn(read, {
    type: 'smallint',
    oid: 21,
    width: 2,
    write: (buffer, value, at) => {
      buffer.writeInt16BE(value, at);
    },
  });
}

/** A column of times. */
export function times<Item>(read: Read<Item, Date>): RowColumn<Item> {
  return fixedColumn(read, { type: 'timestamptz', oid: 1184, width: 8, write: writeTime });
}

/** A column of truth values. */
export function booleans<Item>(read: Read<Item, boolean>): RowColumn<Item> {
  return fixedColumn(read, {
    type: 'boolean',
    oid: 16,
    width: 1,
    write: (buffer, value, at) => {
      buffer[at] = value ? 1 : 0;
    },
  });
}

interface Encoding<Value> {
  readonly type: string;
  /** The type's number in `pg_type`, the same in every Postgres. */
  readonly oid: number;
  /** No fewer bytes than the value takes. */
  readonly room: (value: Value) => number;
  /** Answers the number of bytes written. */
  readonly write: (buffer: Buffer, value: Value, at: number) => number;
}

interface FixedEncoding<Value> extends Pick<Encoding<Value>, 'type' | 'oid'> {
  /** The bytes of each value. */
  readonly width: number;
  readonly write: (buffer: Buffer, value: Value, at: number) => void;
}

// Dimensions, whether nulls occur, type, length, lower bound.
const headBytes = 20;

/** PostgreSQL `array_recv`: the head; then each length and value, with the length -1 for null. */
function column<Item, Value>(read: Read<Item, Value>, encoding: Encoding<Value>): RowColumn<Item> {
  const { type, room: roomOf } = encoding;
  return {
    type,
    read: (items) => {
      const values = items.map(read);
      let room = headBytes + 4 * values.length;
      for (const value of values) if (value !== null && value !== undefined) room += roomOf(value);
      return { room, write: (buffer, start) => writeValues(buffer, values, { start, encoding }) };
    },
  };
}

function fixedColumn<Item, Value>(
  read: Read<Item, Value>,
  { type, oid, width, write }: FixedEncoding<Value>,
): RowColumn<Item> {
  const encoding: Encoding<Value> = {
    type,
    oid,
    room: () => width,
    write: (buffer, value, at) => {
      write(buffer, value, at);
      return width;
    },
  };
  return column(read, encoding);
}

function writeValues<Value>(
  buffer: Buffer,
  values: readonly (Value | null | undefined)[],
  { start, encoding }: { readonly start: number; readonly encoding: Encoding<Value> },
): number {
  let at = start + headBytes;
  let nulls = 0;
  for (const value of values) {
    if (value === null || value === undefined) {
      nulls = 1;
      at = writeInt32(buffer, -1, at);
    } else {
      const size = encoding.write(buffer, value, at + 4);
      at = writeInt32(buffer, size, at) + size;
    }
  }
  const end = writeHead(buffer, { oid: encoding.oid, nulls, length: values.length }, start);
  return values.length === 0 ? end : at;
}

/** Answers where the head ends. An array without elements has no dimensions, so that its head ends with the type. */
function writeHead(
  buffer: Buffer,
  { oid, nulls, length }: { oid: number; nulls: number; length: number },
  start: number,
): number {
  let at = writeInt32(buffer, length === 0 ? 0 : 1, start);
  at = writeInt32(buffer, nulls, at);
  at = writeInt32(buffer, oid, at);
  if (length === 0) return at;
  at = writeInt32(buffer, length, at);
  return writeInt32(buffer, 1, at);
}

// `Buffer.writeInt32BE` checks its arguments, which takes longer than the writing; these run for each value of each
// row.
function writeInt32(buffer: Buffer, value: number, at: number): number {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  return at + 4;
}

const halfRange = 2 ** 32;

/** A safe integer as 64 bits. Its quotient by a power of two is exact. */
function writeSafeInteger(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / halfRange);
  writeInt32(buffer, high, at);
  writeInt32(buffer, value - high * halfRange, at + 4);
}

function writeBigint(buffer: Buffer, value: bigint, at: number): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) writeSafeInteger(buffer, number, at);
  else buffer.writeBigInt64BE(value, at);
}

// Postgres counts microseconds from the year 2000.
const epochMs = Date.UTC(2000, 0, 1);

function writeTime(buffer: Buffer, value: Date, at: number): void {
  const sinceMs = value.getTime() - epochMs;
  const micros = sinceMs * 1_000;
  if (Number.isSafeInteger(micros)) writeSafeInteger(buffer, micros, at);
  else buffer.writeBigInt64BE(BigInt(sinceMs) * 1_000n, at);
}

const digitValues = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value += 1) {
  const digit = value.toString(16);
  digitValues[digit.charCodeAt(0)] = value;
  digitValues[digit.toUpperCase().charCodeAt(0)] = value;
}
const dash = 0x2d;

function writeUuid(buffer: Buffer, uuid: string, at: number): void {
  // A character that is no digit has value -1, and one where a dash must be makes `seen` negative too.
  let seen = uuid.length === 36 ? 0 : -1;
  let to = at;
  for (let from = 0; from < 36; from += 2) {
    if (from === 8 || from === 13 || from === 18 || from === 23) {
      if (uuid.charCodeAt(from) !== dash) seen = -1;
      from += 1;
    }
    const high = digitValues[uuid.charCodeAt(from)] ?? -1;
    const low = digitValues[uuid.charCodeAt(from + 1)] ?? -1;
    seen |= high | low;
    buffer[to] = (high << 4) | low;
    to += 1;
  }
  if (seen < 0) throw new TypeError(`not a UUID: ${uuid}`);
}
