import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type Sql, SqlPool, type Statement } from '@keyfare/db/sql';
import { type Options, stringify } from 'csv-stringify';
import { type Cell, type Table, wholeOf } from './table.js';

const rowsAtOnce = 1_000;

/**
 * RFC 4180. A cell that a spreadsheet would take for a formula gets a leading apostrophe: names and reasons come from
 * outside. Amounts are never negative here, so none of them is touched.
 */
export function csvFormat(columns: readonly string[]): Options {
  return {
    header: true,
    columns: [...columns],
    record_delimiter: 'windows',
    quote_record_delimiter: true,
    escape_formulas: true,
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
  lead: readonly Readonly<Partial<Record<keyof View, Cell>>>[] = [],
): Promise<Readable> {
  const csv = stringify(csvFormat(table.columns));
  const gone = new AbortController();
  csv.once('close', () => gone.abort());
  return new Promise((resolve, reject) => {
    let taken = false;
    const work = async (tx: Sql): Promise<void> => {
      await openCursor(tx, wholeOf(table));
      let rows = await fetchRows<Row>(tx);
      taken = true;
      resolve(csv);
      for (const row of lead) csv.write(row);
      for (; rows.length > 0; rows = await fetchRows<Row>(tx)) {
        for (const row of rows) {
          gone.signal.throwIfAborted();
          if (!csv.write(table.view(row))) await once(csv, 'drain', { signal: gone.signal });
        }
      }
      csv.end();
    };
    sql.transaction(work).catch((error: unknown) => {
      reject(error);
      // A stream that nobody has yet must end in silence: its error event would end the process.
      csv.destroy(taken ? (error instanceof Error ? error : new Error(String(error))) : undefined);
    });
  });
}

async function openCursor(tx: Sql, { text, values = [] }: Statement): Promise<void> {
  await tx.query({ text: 'set transaction read only' });
  // A reader that takes nothing for so long has gone, or should.
  await tx.query({ text: `set local idle_in_transaction_session_timeout = '60s'` });
  await tx.query({ text: `declare report no scroll cursor for ${text}`, values });
}

async function fetchRows<Row>(tx: Sql): Promise<readonly Row[]> {
  return tx.query<Row>({ text: `fetch forward ${rowsAtOnce} from report` });
}
