import type { Readable } from 'node:stream';
import type { SqlPool } from '@keyfare/db/sql';
import { type Options, stringify } from 'csv-stringify';
import { z } from 'zod';
import { streamRows } from './stream.js';
import { type Cell, type Table, wholeOf } from './table.js';

/** How a CSV is written for the program that opens it; without these as RFC 4180 has it, in UTF-8 without a mark. */
export const csvQuery = {
  /** `true`: a byte order mark, by which Excel knows UTF-8. */
  bom: z.enum(['true', 'false']).optional(),
  separator: z.enum(['comma', 'semicolon', 'tab']).optional(),
  /** The mark of decimals in amounts. */
  decimal: z.enum(['point', 'comma']).optional(),
};

const csvOptions = z.object(csvQuery);
export type CsvQuery = z.infer<typeof csvOptions>;

const separators = { comma: ',', semicolon: ';', tab: '\t' };

/**
 * RFC 4180. A cell that a spreadsheet would take for a formula gets a leading apostrophe: names and reasons come from
 * outside. Cells of the columns `amounts` are the books' own decimals: they keep their sign and take the decimal mark.
 */
export function csvFormat(columns: readonly string[], amounts: readonly string[] = [], query: CsvQuery = {}): Options {
  const isAmount = new Set(amounts);
  const mark = query.decimal === 'comma' ? ',' : '.';
  return {
    header: true,
    columns: [...columns],
    bom: query.bom === 'true',
    delimiter: separators[query.separator ?? 'comma'],
    record_delimiter: 'windows',
    quote_record_delimiter: true,
    escape_formulas: true,
    cast: {
      string: (value, { column, header }) =>
        !header && isAmount.has(String(column)) ? { value: value.replace('.', mark), escape_formulas: false } : value,
    },
  };
}

/**
 * The text of a table of any length, all of it of one moment: the rows come from a cursor as fast as they are taken.
 * `lead` goes before them. Rejects when the first rows cannot be had; a failure after that ends the stream with an
 * error.
 */
export async function streamCsv<Row, View extends Readonly<Record<string, Cell>>>(
  sql: SqlPool,
  table: Table<Row, View>,
  {
    lead = [],
    query,
  }: { readonly lead?: readonly Readonly<Partial<Record<keyof View, Cell>>>[]; readonly query?: CsvQuery } = {},
): Promise<Readable> {
  const out = stringify(csvFormat(table.columns, table.amounts, query));
  return streamRows<Row, unknown>(sql, wholeOf(table), {
    out,
    encoder: { start: () => lead, row: (row) => [table.view(row)], end: () => [] },
  });
}
