import type { Sql } from '@keyfare/db/sql';
import { candidatesOf, type OpenInvoice } from './find-invoice.js';

/** The invoices whose numbers these references may name, by number as `normalNumber` has it; paid ones among them. */
export async function readNamedInvoices(
  sql: Sql,
  references: readonly string[],
): Promise<ReadonlyMap<string, OpenInvoice>> {
  const candidates = [...new Set(references.flatMap((reference) => [...candidatesOf(reference)]))];
  if (candidates.length === 0) return new Map();
  const rows = await sql.query<{ id: string; number: string; normal: string; outstanding: string }>({
    text: `select i.id, i.number, normal, (case when i.state in ('final', 'partially_paid')
        then i.payable_cents * 10000 - i.paid - i.credited else 0 end)::text as outstanding
      from billing.invoice i
      cross join lateral (select upper(regexp_replace(i.number, '[^A-Za-z0-9]', '', 'g')) as normal) as n
      where i.number is not null and normal = any($1::text[])`,
    values: [candidates],
  });
  return new Map(
    rows.map(({ id, number, normal, outstanding }) => [normal, { id, number, outstanding: BigInt(outstanding) }]),
  );
}
