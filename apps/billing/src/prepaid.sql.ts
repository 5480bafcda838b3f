/**
 * What an account has paid ahead and not used yet, in micro-dollars, an SQL expression: the lines of final invoices
 * that it was invoiced by, less those that drew on it and what credit notes took back of either.
 */
export function prepaidBalance(account: string): string {
  return `(
    select coalesce(sum(l.amount - coalesce((
      select sum(t.amount) from billing.credit_note_line t join billing.credit_note n on n.id = t.credit_note_id
      where n.invoice_id = l.invoice_id and t.line = l.line), 0)), 0)
    from billing.invoice i join billing.invoice_line l on l.invoice_id = i.id and l.kind = 'prepaid'
    where i.account = ${account} and i.state not in ('draft', 'void'))`;
}
