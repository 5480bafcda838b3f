import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { BankPayment } from './bank-payments.js';
import { candidatesOf, normalNumber } from './find-invoice.js';
import { type Proposal, type ProposedInvoice, proposeInvoices } from './propose.js';

/** So many open invoices are looked at, the oldest first. */
const mostInvoices = 20_000;

/** Says which invoices payments may be of. It matches none: that is for a person to do. */
@Injectable()
export class Proposals {
  constructor(private readonly sql: SqlPool) {}

  /** Those of each of these payments, in their order. */
  async of(payments: readonly BankPayment[]): Promise<readonly (readonly Proposal[])[]> {
    if (payments.length === 0) return [];
    const open = await this.#open();
    const known = await this.#knownPayers(payments.map(({ payer }) => payer));
    const numbers = new Map(open.map(({ id, number }) => [normalNumber(number), id]));
    return payments.map(({ payer, reference, amount, matched }) => {
      const named = new Set([...candidatesOf(reference)].flatMap((number) => numbers.get(number) ?? []));
      const knownCustomers = known.get(payer) ?? new Set<string>();
      return proposeInvoices({ payer, reference, amount: amount - matched, knownCustomers }, open, named);
    });
  }

  async #open(): Promise<readonly ProposedInvoice[]> {
    const rows = await this.sql.query<Omit<ProposedInvoice, 'outstanding'> & { readonly outstanding: string }>({
      text: `select i.id, i.number, i.customer_id as "customerId", k.legal_name as "customerName",
          (i.payable_cents * 10000 - i.paid - i.credited)::text as outstanding
        from billing.invoice i join billing.customer k on k.id = i.customer_id
        where i.state in ('final', 'partially_paid') and i.payable_cents * 10000 > i.paid + i.credited
        order by i.due_on, i.id limit $1`,
      values: [mostInvoices],
    });
    return rows.map(({ outstanding, ...row }) => Object.assign(row, { outstanding: BigInt(outstanding) }));
  }

  /** The customers that payments of these payers were matched to before. */
  async #knownPayers(payers: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const rows = await this.sql.query<{ payer: string; customers: readonly string[] }>({
      text: `select p.payer, array_agg(distinct i.customer_id::text) as customers
        from billing.bank_payment p
        join billing.match m on m.bank_payment_id = p.id and m.state <> 'undone'
        join billing.invoice i on i.id = m.invoice_id
        where p.payer = any($1::text[]) and p.payer <> '' group by p.payer`,
      values: [payers],
    });
    return new Map(rows.map(({ payer, customers }) => [payer, new Set(customers)]));
  }
}
