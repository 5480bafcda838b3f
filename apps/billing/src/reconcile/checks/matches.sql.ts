import { explainedSql } from '../../explained.sql.js';
import { codeSql } from '../../token.js';
import { paymentSides } from '../payment-status.sql.js';
import type { Check } from './check.js';

/**
 * The matches of payments, and which payments are kept as open, against what entries and transfers come to when they
 * are paired again: all of history, for a full audit. What an operator matched is not looked at.
 */
export function checkMatches(): Check {
  return {
    name: 'matches',
    classes: ['match-mismatch'],
    text: `
      with ${paymentSides()},
      judged as (
        select p.*, ${codeSql('p.asset')} as code, coalesce(p.state in ('settled', 'collected', 'owed'), false) as moved,
          least(p.recorded_amount, p.settled_amount) as matchable,
          case when p.block_number <= w.finalized_number then 'final' else 'provisional' end as finality
        from sides p left join billing.chain_cursor w on w.watch = p.settled_watch),
      due as (select * from judged where moved and transfer_id is not null and matchable > 0),
      live as (select * from billing.match where state <> 'undone' and rule = 'authorization'),
      twice as (
        select network, asset, payer, nonce from billing.payment where outcome in ('settled', 'deferred', 'refund-due')
        group by network, asset, payer, nonce having count(*) > 1
        union
        select network, asset, authorizer, nonce from billing.chain_transfer
        where orphaned_at is null and authorizer is not null and to_address = pay_to
        group by network, asset, authorizer, nonce having count(*) > 1),
      unfinished as (
        select network, asset, payer, nonce from judged
        where not coalesce(moved and recorded_amount = settled_amount, false)
          and not coalesce(state = 'void' and transfer_id is null, false)
          and not (state is null and ${explainedSql('judged')})
        union
        select network, asset, payer, nonce from twice)
      select 'match-mismatch' as class,
        concat_ws('/', 'match', coalesce(m.entry_id, d.entry_id), coalesce(m.transfer_id, d.transfer_id)) as subject,
        jsonb_strip_nulls(jsonb_build_object('entry', coalesce(m.entry_id, d.entry_id),
          'transfer', coalesce(m.transfer_id, d.transfer_id), 'match', m.id, 'transaction', d.settled_transaction)) as keys,
        coalesce(d.code, m.asset) as asset, coalesce(d.matchable, m.amount) as amount, 'ledger' as side,
        case when m.id is null then 'The entry and the transfer are one payment; the books have no match of them.'
          when d.entry_id is null then 'The books have a match that no entry and transfer explain.'
          when (m.amount, m.asset) <> (d.matchable, d.code) then 'The match is of another amount than its two sides have.'
          else 'The match is not as final as the block of its transfer.' end as detail
      from due d full join live m on m.entry_id = d.entry_id and m.transfer_id = d.transfer_id
      where m.id is null or d.entry_id is null
        or (m.amount, m.asset, m.state) <> (d.matchable, d.code, d.finality)
      union all
      select 'match-mismatch', concat_ws('/', 'open', network, asset, payer, nonce),
        jsonb_build_object('network', network, 'asset', asset, 'payer', payer, 'nonce', nonce), null, null, 'ledger',
        case when o.kept is null then 'Something of the payment is open, and the books take it for done.'
          else 'The books take the payment for open, and nothing of it is.' end
      from (select *, true as due from unfinished) u
      full join (select *, true as kept from billing.open_payment) o using (network, asset, payer, nonce)
      where u.due is null or o.kept is null`,
    values: [],
  };
}
