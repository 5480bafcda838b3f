import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Sql, SqlPool, Statement } from '@keyfare/db/sql';
import type { Encoder } from '../export/encoder.js';

const rowsAtOnce = 1_000;

/**
 * Writes the rows of a statement of any length to `out`, all of them of one moment: they come from a cursor, a thousand
 * at a time, as fast as `out` is read. Rejects when the first rows cannot be had; a failure after that ends the stream
 * with an error. A reader that closes `out` ends the cursor and its transaction.
 */
export async function streamRows<Row, Out>(
  sql: SqlPool,
  statement: Statement,
  { out, encoder }: { readonly out: Duplex; readonly encoder: Encoder<Row, Out> },
): Promise<Duplex> {
  const gone = new AbortController();
  out.once('close', () => gone.abort());
  const write = async (chunks: Iterable<Out>): Promise<void> => {
    for (const chunk of chunks) {
      gone.signal.throwIfAborted();
      if (!out.write(chunk)) await once(out, 'drain', { signal: gone.signal });
    }
  };
  return new Promise((resolve, reject) => {
    let taken = false;
    const work = async (tx: Sql): Promise<void> => {
      await openCursor(tx, statement);
      let rows = await fetchRows<Row>(tx);
      taken = true;
      resolve(out);
      await write(encoder.start());
      for (; rows.length > 0; rows = await fetchRows<Row>(tx)) {
        for (const row of rows) await write(encoder.row(row));
      }
      await write(encoder.end());
      out.end();
    };
    sql.transaction(work).catch((error: unknown) => {
      reject(error);
      // A stream that nobody has yet must end in silence: its error event would end the process.
      out.destroy(taken ? (error instanceof Error ? error : new Error(String(error))) : undefined);
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
