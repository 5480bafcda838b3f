import type { Sql } from '../sql.js';

/**
 * Tells everybody who listens at the channel (see `Listener`); in a transaction, when it commits. Up to 8,000 bytes of
 * payload. Not for the transaction of a call: those that notify commit one after the other (PostgreSQL, NOTIFY).
 */
export async function notify(sql: Sql, channel: string, payload: string): Promise<void> {
  await sql.query({ text: 'select pg_notify($1, $2)', values: [channel, payload] });
}
