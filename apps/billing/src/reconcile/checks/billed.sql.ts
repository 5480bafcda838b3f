/**
 * What the journals of final invoices should come to, worked out from their rows: `source`, `account`, `asset`,
 * `amount`, debits positive. What was voided comes to nothing, and so does a payment that was undone. An invoice
 * without a customer was made final by a release that did not post invoices.
 */
export const expectedInvoices = `
  select 'invoice:' || i.id as source, line.account, 'USD' as asset, case i.state when 'void' then 0 else line.amount end
  from billing.invoice i
  cross join lateral (
    select coalesce(sum(l.amount) filter (where l.kind in ('included', 'overage')), 0) as usage,
      coalesce(sum(l.amount) filter (where l.kind = 'adjustment'), 0) as adjusted,
      coalesce(sum(l.amount) filter (where l.kind = 'prepaid'), 0) as ahead,
      coalesce(sum(l.amount) filter (where l.kind in ('plan', 'commit')), 0) as plans
    from billing.invoice_line l where l.invoice_id = i.id) as s
  cross join lateral (values
    ('receivable:' || i.customer_id, i.payable_cents * 10000),
    ('unbilled-receivable:' || i.account, -s.usage),
    ('deferred-revenue:' || i.customer_id, -s.plans),
    ('tax-payable:' || i.tax_code, -i.tax_cents * 10000),
    ('adjustments', -s.adjusted),
    ('prepaid:' || i.account, -s.ahead),
    ('rounding', s.usage + s.plans + s.adjusted + s.ahead + i.tax_cents * 10000 - i.payable_cents * 10000)) as line (account, amount)
  where i.customer_id is not null and line.account is not null
  union all
  select 'release:' || r.invoice_id || ':' || r.day, line.account, 'USD',
    case i.state when 'void' then 0 else line.sign * r.amount end
  from billing.invoice_release r join billing.invoice i on i.id = r.invoice_id
  cross join lateral (values
    ('deferred-revenue:' || i.customer_id, 1), (coalesce('revenue:plan:' || r.slug, 'revenue:commit'), -1)) as line (account, sign)
  where r.released_at is not null
  union all
  select 'payment:' || p.source || ':' || p.invoice_id, line.account, 'USD',
    case when u.source is null then line.sign * p.amount else 0 end
  from billing.invoice_payment p join billing.invoice i on i.id = p.invoice_id
  left join billing.invoice_payment_undone u on u.source = p.source and u.invoice_id = p.invoice_id
  cross join lateral (values (p.debit, 1), ('receivable:' || i.customer_id, -1)) as line (account, sign)
  union all
  select 'bad-debt:' || i.id, line.account, 'USD', line.sign * (i.payable_cents * 10000 - i.paid - i.credited)
  from billing.invoice i
  cross join lateral (values ('bad-debt', 1), ('receivable:' || i.customer_id, -1)) as line (account, sign)
  where i.state = 'uncollectible' and i.customer_id is not null
  union all
  select 'credit-note:' || n.id, line.account, 'USD', line.amount
  from billing.credit_note n join billing.invoice i on i.id = n.invoice_id
  cross join lateral (
    select coalesce(sum(t.amount), 0) as ahead from billing.credit_note_line t
    join billing.invoice_line l on l.invoice_id = i.id and l.line = t.line and l.kind = 'prepaid'
    where t.credit_note_id = n.id) as s
  cross join lateral (values
    ('adjustments', n.amount - s.ahead),
    ('prepaid:' || i.account, s.ahead),
    ('tax-payable:' || i.tax_code, n.tax_cents * 10000),
    ('rounding', n.total_cents * 10000 - n.amount - n.tax_cents * 10000),
    ('receivable:' || i.customer_id, n.to_credit - n.total_cents * 10000),
    ('customer-credit:' || i.customer_id, -n.to_credit)) as line (account, amount)
  where line.account is not null`;
