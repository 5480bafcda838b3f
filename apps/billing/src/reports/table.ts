import type { Sql, Statement } from '@keyfare/db/sql';
import { type Page, positions, readCursor, toPage } from '@keyfare/gate/operators';
import { z } from 'zod';

/** A cell as it is shown: amounts and counts are text, so that no reader rounds them. */
export type Cell = string | number | null;

/** A column that rows are in order of: a text, a time or a date. None is ever null. */
export interface OrderColumn {
  readonly column: string;
  readonly kind: 'text' | 'time' | 'day';
}

/** Where a part of a table begins and how many rows it has at most. */
export interface Part {
  /** Of the last row before it, the columns of the order: texts, and times in whole microseconds since 1970. */
  readonly after: readonly string[] | null;
  readonly limit: number;
}

/** One report: a query, and each of its rows as named cells, whatever it is shown as. */
export interface Table<Row = never, View extends Readonly<Record<string, Cell>> = Readonly<Record<string, Cell>>> {
  /** Names the file. */
  readonly name: string;
  readonly columns: readonly (keyof View & string)[];
  /** Those that are decimals of the books: in a CSV they keep their sign. */
  readonly amounts?: readonly (keyof View & string)[];
  /** Without an order, as a part of a larger statement. */
  readonly statement: Statement;
  /** The rows of a part, and maybe others of the table, for less than all of them cost. */
  readonly part?: (part: Part) => Statement;
  /** Columns of the statement that no two rows have alike. */
  readonly order: readonly OrderColumn[];
  readonly view: (row: Row) => View;
}

/** The whole of the table, in order. */
export function wholeOf({ statement, order }: Pick<Table, 'statement' | 'order'>): Statement {
  const keys = order.map(keyOf).join(', ');
  return { text: `select * from (${statement.text}) as report order by ${keys}`, values: statement.values ?? [] };
}

/** A part of the table. The cursor names the last row of the part before, so rows that come meanwhile move nothing. */
export async function readPage<Row, View extends Readonly<Record<string, Cell>>>(
  sql: Sql,
  { name, statement: whole, part, order, view }: Table<Row, View>,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
): Promise<Page<View>> {
  const after = readCursor(name, cursor, order.map(schemaOf));
  const statement = part?.({ after, limit: limit + 1 }) ?? whole;
  const values = [...(statement.values ?? [])];
  const next = (value: unknown): string => `$${values.push(value)}`;
  const keys = order.map(keyOf);
  const past = after?.map((value, index) => valueSql(order[index]?.kind ?? 'text', next(value)));
  const where = past === undefined ? '' : `where (${keys.join(', ')}) > (${past.join(', ')})`;
  const rows = await sql.query<Row & { readonly at_row: readonly string[] }>({
    text: `select *, array[${order.map(positionOf).join(', ')}] as at_row
      from (${statement.text}) as report ${where} order by ${keys.join(', ')} limit ${next(limit + 1)}::integer`,
    values,
  });
  return toPage(rows, { list: name, limit, position: (row) => row.at_row, view });
}

// A key is the column itself, so that an index can have its order.
function keyOf({ column, kind }: OrderColumn): string {
  return kind === 'text' ? `${column}::text` : column;
}

function positionOf({ column, kind }: OrderColumn): string {
  return kind === 'time' ? `(extract(epoch from ${column}) * 1000000)::bigint::text` : `${column}::text`;
}

function valueSql(kind: OrderColumn['kind'], parameter: string): string {
  if (kind === 'time') return momentSql(parameter);
  return `${parameter}::${kind === 'day' ? 'date' : 'text'}`;
}

/**
 * What limits a query over `keys`, which are the order of a table, to a part: a condition, with its parameters from
 * `first` on, and an order with a limit. Nothing without a part.
 */
export function partOf(
  part: Part | undefined,
  { keys, first }: { readonly keys: string; readonly first: number },
): { readonly where: string; readonly limit: string; readonly values: readonly string[] } {
  const values = part?.after ?? [];
  const parameters = values.map((_, index) => `$${first + index}`);
  return {
    where: values.length === 0 ? '' : `and (${keys}) > (${parameters.join(', ')})`,
    limit: part === undefined ? '' : `order by ${keys} limit ${part.limit}`,
    values,
  };
}

/** The time of a position. */
export function momentSql(parameter: string): string {
  return `('epoch'::timestamptz + ${parameter}::bigint * interval '1 microsecond')`;
}

/** What a cursor may hold; a text of the books may be anything that the books take. */
function schemaOf({ kind }: OrderColumn): z.ZodType<string> {
  if (kind === 'day') return z.iso.date().regex(/^(?!0000)/);
  return kind === 'text' ? positions.text : positions.count;
}
