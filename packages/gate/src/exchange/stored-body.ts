import type { Sql } from '@keyfare/db/sql';

/** Keeps what was served for a payment, before the payment is settled: a retry gets these bytes. */
export async function storeBody(sql: Sql, exchangeId: string, body: Buffer): Promise<void> {
  await sql.query({
    name: 'keyfare_store_body',
    text: 'update keyfare.payment set response_body = $2 where exchange_id = $1',
    values: [exchangeId, body],
  });
}

/** The bytes that were served for a payment; none where they were not kept. */
export async function readBody(sql: Sql, exchangeId: string): Promise<Buffer> {
  const [row] = await sql.query<{ response_body: Buffer | null }>({
    name: 'keyfare_read_body',
    text: 'select response_body from keyfare.payment where exchange_id = $1',
    values: [exchangeId],
  });
  return row?.response_body ?? Buffer.alloc(0);
}
