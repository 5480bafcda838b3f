import type { Sql } from '@keyfare/db/sql';
import type { LedgerService } from '../ledger/ledger.service.js';
import { awaitBooks } from '../turns.js';
import { journalsOfRelease } from './invoice-journals.js';

/**
 * Moves what the fees of plans and commits earned from deferred revenue to revenue, for each day that is over at `now`
 * and was not moved before: of one invoice, or of all. How many days there were. Within the caller's transaction.
 */
export async function releaseDays(
  tx: Sql,
  ledger: LedgerService,
  { now, invoice = null }: { readonly now: Date; readonly invoice?: string | null },
): Promise<number> {
  const due = await tx.query({
    text: `select 1 from billing.invoice_release
      where released_at is null and day < ($1::timestamptz at time zone 'utc')::date
        and ($2::uuid is null or invoice_id = $2) limit 1`,
    values: [now, invoice],
  });
  if (due.length === 0) return 0;
  await awaitBooks(tx);
  const rows = await tx.query<{
    invoice: string;
    customer: string;
    day: string;
    parts: readonly { readonly slug: string | null; readonly amount: string }[];
  }>({
    text: `with released as (
        update billing.invoice_release r set released_at = $1
        from billing.invoice i
        where i.id = r.invoice_id and i.state <> 'void' and r.released_at is null
          and r.day < ($1::timestamptz at time zone 'utc')::date and ($2::uuid is null or r.invoice_id = $2)
        returning r.invoice_id, r.line, r.day, r.slug, r.amount, i.customer_id)
      select invoice_id as invoice, customer_id as customer, day::text as day,
        json_agg(json_build_object('slug', slug, 'amount', amount::text) order by line) as parts
      from released group by 1, 2, 3 order by 1, 3`,
    values: [now, invoice],
  });
  await ledger.post(
    tx,
    rows.flatMap(({ parts, ...row }) =>
      journalsOfRelease({ ...row, parts: parts.map(({ slug, amount }) => ({ slug, amount: BigInt(amount) })) }),
    ),
  );
  return rows.length;
}
