import { gasSpent } from '../../gas-spent.sql.js';
import type { Check } from './check.js';

/**
 * The sums that reports read, against what they are sums of: charges by day, wallets by day and kind of journal, and
 * the dates of movements against those of their journals.
 */
export function checkSums(): Check {
  return {
    name: 'sums',
    classes: ['ledger-mismatch'],
    text: `
      select 'ledger-mismatch' as class, 'charges:' || day as subject, jsonb_build_object('day', day::text) as keys,
        null::text as asset, null::numeric as amount, 'ledger' as side,
        'The sums of charges of a day are not what the charges come to.' as detail
      from (
        select day from (${chargeSums}) as s
        full join billing.charge_day d
          using (period_start, rail, sku, customer, account, asset, day, unit_price, billed_in)
        where (s.calls, s.units, s.included, s.overage, s.amount)
          is distinct from (d.calls, d.units, d.included, d.overage, d.amount)
        group by day) as wrong
      union all
      select 'ledger-mismatch', 'wallet-days:' || account, jsonb_build_object('account', account), null, null, 'ledger',
        'The sums of a wallet by kinds of journals are not what its movements come to.'
      from (
        select account from (${walletSums}) as s full join billing.wallet_day d using (account, day, kind)
        where (s.lines, s.amount) is distinct from (d.lines, d.amount)
        group by account) as wrong
      union all
      select 'ledger-mismatch', 'movement-date:' || j.id, jsonb_build_object('journal', j.id, 'source', j.source), null, null,
        'ledger', 'A movement has another date than its journal.'
      from billing.movement m join billing.journal j on j.id = m.journal_id
      where m.effective_at <> j.effective_at
      group by j.id`,
    values: [],
  };
}

/** What is kept of what settlers have spent, against what their transfers say. */
export function checkGasSpent(): Check {
  return {
    name: 'gas spent',
    classes: ['ledger-mismatch'],
    text: `
      select 'ledger-mismatch' as class, 'gas-spent:' || network || '/' || transaction as subject,
        jsonb_build_object('network', network, 'transaction', transaction) as keys, null::text as asset,
        null::numeric as amount, 'chain' as side,
        'What is kept of a transaction of a settler is not what its transfers say.' as detail
      from (${gasSpent('true')}) as s full join billing.gas_spent g using (network, transaction)
      where (s.settler, s.day, s.block_time, s.fee, s.payments, s.usdc, s.eurc)
        is distinct from (g.settler, g.day, g.block_time, g.fee, g.payments, g.usdc, g.eurc)`,
    values: [],
  };
}

const chargeSums = `
  select period_start, rail, sku, coalesce(account, payer) as customer, coalesce(account, '') as account, asset,
    (occurred_at at time zone 'UTC')::date as day, coalesce(unit_price, 0) as unit_price,
    coalesce(billed_in, period_start) as billed_in, count(*) as calls, sum(units) as units, sum(included) as included, sum(overage) as overage, sum(amount) as amount
  from billing.charge group by 1, 2, 3, 4, 5, 6, 7, 8, 9`;

const walletSums = `
  select l.account, (l.effective_at at time zone 'UTC')::date as day, j.kind, count(*) as lines, sum(l.amount) as amount
  from billing.ledger_line l join billing.journal j on j.id = l.journal_id
  where l.account like lower(l.asset) || ':%' group by 1, 2, 3`;
