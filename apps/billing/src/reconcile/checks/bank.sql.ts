/**
 * What the journals of bank payments, and of credits out of them, should come to: `source`, `account`, `asset`,
 * `amount`, debits positive.
 */
export const expectedBank = `
  select 'bank-payment:' || p.id as source, line.account, 'USD' as asset, line.sign * p.amount as amount
  from billing.bank_payment p
  cross join lateral (values ('bank:' || p.bank_account_id, 1), ('unidentified-bank', -1)) as line (account, sign)
  union all
  select 'customer-credit:' || c.id, line.account, 'USD', line.sign * c.amount
  from billing.customer_credit c
  cross join lateral (values
    ('unidentified-bank', 1), ('customer-credit:' || c.customer_id, -1)) as line (account, sign)
  where c.bank_payment_id is not null
  union all
  select 'customer-credit:' || c.id, line.account, line.asset, line.sign * c.amount
  from billing.customer_credit c
  cross join lateral (values
    ('refunds-due', 'USDC', 1), ('conversion:usdc', 'USDC', -1),
    ('conversion:usd', 'USD', 1), ('customer-credit:' || c.customer_id, 'USD', -1)) as line (account, asset, sign)
  where c.entry_id is not null
  union all
  select 'conversion:' || m.id, line.account, m.asset, case m.state when 'undone' then 0 else line.sign * m.amount end
  from billing.match m
  cross join lateral (values ('unidentified-receipts', 1), ('conversion:usdc', -1)) as line (account, sign)
  where m.rule = 'invoice-amount'`;
