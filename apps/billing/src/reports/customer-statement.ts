import { formatMoney, money } from '@keyfare/core/money';
import type { Period } from '@keyfare/core/time';
import { z } from 'zod';
import type { Table } from './table.js';

/** A line of a customer's statement: what was invoiced is positive, what took from it negative; with the balance. */
export const statementRow = z.object({
  at: z.iso.datetime(),
  kind: z.enum(['opening', 'invoice', 'payment', 'payment-undone', 'credit-note', 'void', 'bad-debt', 'closing']),
  document: z.string().nullable(),
  asset: z.literal('USD'),
  amount: z.string().nullable(),
  balance: z.string(),
});

interface Row {
  readonly at: Date;
  readonly kind: z.infer<typeof statementRow>['kind'];
  readonly document: string | null;
  readonly amount: string | null;
  readonly balance: string;
}

/** Of whom a statement is: a customer with all accounts, or one account. */
type Whose = { readonly customer: string } | { readonly account: string };

/** What was owed at the start of a time, what changed it, and what was owed at its end. */
export function statementTable(whose: Whose, { start, end }: Period): Table<Row, z.infer<typeof statementRow>> {
  const [id, column] =
    'account' in whose ? [whose.account, 'account' as const] : [whose.customer, 'customer_id::text' as const];
  return {
    name: `statement-${id}-${start.toISOString().slice(0, 10)}`,
    columns: Object.keys(statementRow.shape) as (keyof z.infer<typeof statementRow>)[],
    amounts: ['amount', 'balance'],
    statement: {
      text: `
        with happened as (${eventsOf(column)}),
        known as (select * from happened where at < $3)
        select '0' as place, 'opening' as id, $2::timestamptz as at, 'opening' as kind, null as document, null as amount,
          coalesce(sum(amount), 0)::text as balance from known where at < $2
        union all
        select '1', id, at, kind, document, amount::text, balance::text
        from (select *, sum(amount) over (order by at, id) as balance from known) as run where at >= $2
        union all
        select '2', 'closing', $3, 'closing', null, null, coalesce(sum(amount), 0)::text from known`,
      values: [id, start, end],
    },
    order: [
      { column: 'place', kind: 'text' },
      { column: 'at', kind: 'time' },
      { column: 'id', kind: 'text' },
    ],
    view: ({ at, kind, document, amount, balance }) => ({
      at: at.toISOString(),
      kind,
      document,
      asset: 'USD',
      amount: amount === null ? null : dollars(amount),
      balance: dollars(balance),
    }),
  };
}

// What moved the receivable, from the documents and not from the ledger. A void invoice had no payment.
const eventsOf = (column: 'account' | 'customer_id::text'): string => `
  select 'invoice:' || id as id, issued_at as at, 'invoice' as kind, number as document, payable_cents * 10000 as amount
  from billing.invoice where ${column} = $1 and issued_at is not null
  union all
  select 'payment:' || p.source || ':' || i.id, p.applied_at, 'payment', i.number, -p.amount
  from billing.invoice_payment p join billing.invoice i on i.id = p.invoice_id where i.${column} = $1
  union all
  select 'undone:' || p.source || ':' || i.id, u.effective_at, 'payment-undone', i.number, p.amount
  from billing.invoice_payment_undone u join billing.invoice_payment p using (source, invoice_id)
  join billing.invoice i on i.id = p.invoice_id where i.${column} = $1
  union all
  select 'note:' || n.id, n.issued_at, 'credit-note', n.number, n.to_credit - n.total_cents * 10000
  from billing.credit_note n join billing.invoice i on i.id = n.invoice_id where i.${column} = $1
  union all
  select 'end:' || id, updated_at, case state when 'void' then 'void' else 'bad-debt' end, number,
    paid + credited - payable_cents * 10000
  from billing.invoice where ${column} = $1 and state in ('void', 'uncollectible')`;

function dollars(amount: string): string {
  return formatMoney(money('USD', BigInt(amount)));
}
