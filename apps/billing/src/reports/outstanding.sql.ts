/**
 * The invoices that were to be paid at a moment, an SQL expression, and what was left of each then: `id`,
 * `customer_id`, `number`, `due_on`, `left_over` in micro-dollars. What was voided or given up since then was to be
 * paid until then.
 */
export function outstandingAt(moment: string): string {
  return `
    select * from (
      select i.id, i.customer_id, i.number, i.due_on, i.payable_cents * 10000
        - coalesce((
          select sum(p.amount) from billing.invoice_payment p
          left join billing.invoice_payment_undone u using (source, invoice_id)
          where p.invoice_id = i.id and p.applied_at < ${moment} and coalesce(u.effective_at >= ${moment}, true)), 0)
        - coalesce((
          select sum(n.total_cents * 10000 - n.to_credit) from billing.credit_note n
          where n.invoice_id = i.id and n.issued_at < ${moment}), 0) as left_over
      from billing.invoice i
      where i.customer_id is not null and i.issued_at < ${moment}
        and (i.state not in ('void', 'uncollectible') or i.updated_at >= ${moment})) as invoice
    where left_over > 0`;
}
