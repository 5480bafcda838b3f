import type { Sql } from '@keyfare/db/sql';
import { rowsIn, type Window, windowColumns } from './checks/check.js';
import { finalInvoices } from './checks/final-invoices.sql.js';

/** Which final invoices a run reads, and what it proves by that. */
export interface InvoiceProof {
  /** Null for all of them. */
  readonly due: readonly string[] | null;
  /** Notes that the invoices were read, as they were in the snapshot of the run. */
  store(tx: Sql, at: Date): Promise<void>;
}

interface Due {
  readonly id: string;
  readonly credited: string;
}

interface Scope {
  readonly window: Window;
  /** Whether the run proves what it reads: then the share that is due tonight is read too. */
  readonly renews: boolean;
  /** In so many, everything that was proven is read again. */
  readonly nights: number;
}

/**
 * What was never proven, what was credited since, what a break was found in, and what charges of the window may stand
 * on. Invoices of other accounts and earlier months cannot have changed but by tampering: they have their turn.
 */
export async function readInvoiceProof(tx: Sql, { window, renews, nights }: Scope): Promise<InvoiceProof> {
  const due = window === null ? await readAll(tx) : await readDue(tx, { window, renews, nights });
  return {
    due: window === null ? null : due.map(({ id }) => id),
    store: async (sql, at) => {
      if (renews) await storeRead(sql, due, at);
    },
  };
}

async function readAll(tx: Sql): Promise<readonly Due[]> {
  return tx.query<Due>({ text: 'select id, credited::text from billing.invoice where document is not null' });
}

async function readDue(tx: Sql, { window, renews, nights }: Scope): Promise<readonly Due[]> {
  return tx.query<Due>({
    text: `
      with touched as (
        select account, min(coalesce(billed_in, period_start)) as since from ${rowsIn('billing.charge', 3)} c where rail = 'key' group by account),
      broken as (
        select keys ->> 'invoice' as id from billing.break where present and check_name = $1),
      turn as (
        select invoice_id from billing.invoice_proof order by read_at, invoice_id
        limit case when $2::int is null then 0
          else (select ceil(count(*)::numeric / $2::int) from billing.invoice_proof) end)
      select i.id, i.credited::text
      from billing.invoice i left join billing.invoice_proof p on p.invoice_id = i.id
      where i.document is not null and (p.invoice_id is null or p.credited <> i.credited
        or i.id in (select invoice_id from turn) or i.id::text in (select id from broken)
        or exists (select 1 from touched t where t.account = i.account and t.since <= i.period_start))`,
    values: [finalInvoices, renews ? nights : null, ...windowColumns(window)],
  });
}

async function storeRead(tx: Sql, read: readonly Due[], at: Date): Promise<void> {
  if (read.length === 0) return;
  await tx.query({
    text: `insert into billing.invoice_proof (invoice_id, credited, read_at)
      select id, credited, $3 from unnest($1::uuid[], $2::numeric[]) as t (id, credited)
      on conflict (invoice_id) do update set credited = excluded.credited, read_at = excluded.read_at`,
    values: [read.map(({ id }) => id), read.map(({ credited }) => credited), at],
  });
}
