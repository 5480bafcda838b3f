/**
 * The invoices that were to be paid at a moment, an SQL expression, and what was left of each then: `id`,
 * `customer_id`, `number`, `due_on`, `left_over` in micro-dollars. What was voided or given up since then was to be
 * paid until then.
 */
export function outstandingAt(moment: string): string {
  return `
    select * from (
      select i.id, i.customer_id, i.number, i.due_on,
        i.payable_cents * 10000 - coalesce(paid.amount, 0) - coalesce(credited.amount, 0) as left_over
      from billing.invoice i
        left join (
          select invoice_id, sum(p.amount) as amount from billing.invoice_payment p
          left join billing.invoice_payment_undone u using (source, invoice_id)
          where p.applied_at < ${moment} and coalesce(u.effective_at >= ${moment}, true)
          group by invoice_id) as paid on paid.invoice_id = i.id
        left join (
          select invoice_id, sum(total_cents * 10000 - to_credit) as amount from billing.credit_note
          where issued_at < ${moment} group by invoice_id) as credited on credited.invoice_id = i.id
      where i.customer_id is not null and i.issued_at < ${moment}
        and (i.state not in ('void', 'uncollectible') or i.updated_at >= ${moment})) as invoice
    where left_over > 0`;
}
