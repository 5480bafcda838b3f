/** Every line of every journal, as a part of a larger statement: a debit is more than zero. */
export const ledgerLines = `(
  select p.journal_id as journal, p.line, j.kind, j.source, j.occurred_at, j.effective_at,
    p.account, a.type, p.asset, p.amount
  from billing.ledger_line p
    join billing.journal j on j.id = p.journal_id
    join billing.ledger_account a on a.code = p.account)`;
