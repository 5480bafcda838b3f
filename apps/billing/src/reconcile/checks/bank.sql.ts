/** What the journals of bank payments should come to: `source`, `account`, `asset`, `amount`, debits positive. */
export const expectedBank = `
  select 'bank-payment:' || p.id as source, line.account, 'USD' as asset, line.sign * p.amount as amount
  from billing.bank_payment p
  cross join lateral (values ('bank:' || p.bank_account_id, 1), ('unidentified-bank', -1)) as line (account, sign)`;
