import { explainedSql, notOursSql } from '../../explained.sql.js';
import { codeSql } from '../../token.js';
import { openKeys, type PaymentJudgement, paymentParameters, payments } from '../payment-status.sql.js';
import type { Check } from './check.js';

const keys = `jsonb_build_object('network', p.network, 'asset', p.asset, 'payer', p.payer, 'nonce', p.nonce)`;

/**
 * What a check of payments looks at. `open`: those of which something is open, which is kept with every entry and
 * transfer, and those that have a break; its cost follows their number. `all`: whatever is in the books, which also
 * finds what was changed past them. Both find every break that entries and transfers make, so either may close one.
 */
export type PaymentScope = 'open' | 'all';

/** The entries' payments against the chain's transfers. */
export function checkPayments(judgement: PaymentJudgement, scope: PaymentScope = 'all'): Check {
  const classes = [
    'recorded-not-settled',
    'settled-not-recorded',
    'amount-mismatch',
    'deferred-overdue',
    'uncollectable',
  ] as const;
  return {
    name: 'payments',
    classes,
    text: `
      with ${payments(3, scope === 'open' ? openKeys(7) : undefined)}
      select status as class, concat_ws('/', network, asset, payer, nonce) as subject,
        ${keys} || jsonb_strip_nulls(jsonb_build_object('entry', entry_id,
          'transaction', coalesce(settled_transaction, recorded_transaction))) as keys,
        ${codeSql('p.asset')} as asset,
        case status when 'amount-mismatch' then abs(recorded_amount - settled_amount)
          else coalesce(recorded_amount, settled_amount) end as amount,
        case when status = 'settled-not-recorded' or settled_amount > recorded_amount then 'chain'
          else 'receipt' end as side,
        case
          when status = 'amount-mismatch'
            then format('The entry says %s atomic units, the chain moved %s.', recorded_amount, settled_amount)
          when status = 'recorded-not-settled' then case
            when watch is null then 'The payment went to a wallet whose transfers are not read here.'
            when orphaned_at is not null then 'The transfer was on the chain, and its block is gone.'
            else 'The entry says settled; the chain has no such transfer.' end
          when status = 'deferred-overdue'
            then 'The call was served on credit; no entry says that it was collected, or that it cannot be.'
          when status = 'uncollectable' then case state
            when 'written-off' then 'The call was served on credit, and its payment cannot be collected.'
            else 'The call was served, and the chain has dropped its payment for good.' end
          when state = 'deferred' then 'The money of a call on credit came in; no entry says so.'
          when state = 'written-off' then 'The money came in; an entry says that it cannot be collected.'
          when state is not null then 'The money came in; an entry says that the chain dropped the payment.'
          when exists (
              select 1 from billing.payment u
              where u.outcome = 'unpaid' and (u.network, u.asset, u.payer, u.nonce) = (p.network, p.asset, p.payer, p.nonce))
            then 'The money came in; the entry says that the payment failed.'
          else 'The money came in by an authorization that no entry records.' end as detail,
        coalesce((select e.recorded_at from billing.entry e where e.id = p.entry_id), (
          select min(t.block_time) from billing.chain_transfer t
          where (t.network, t.asset, t.authorizer, t.nonce) = (p.network, p.asset, p.payer, p.nonce))) as happened_at
      from payments p where status = any($7::text[])`,
    values: [...paymentParameters(judgement), classes],
  };
}

/** Money that came in for calls that were not served, and was not paid back: open until somebody says how it ended. */
export function checkRefunds(): Check {
  return {
    name: 'refunds',
    classes: ['refund-due'],
    text: `
      select 'refund-due' as class, 'entry:' || p.entry_id as subject,
        ${keys} || jsonb_build_object('entry', p.entry_id, 'transaction', p.transaction, 'reason', p.reason) as keys,
        ${codeSql('p.asset')} as asset, p.amount, 'receipt' as side, 'The payer paid for a call that was not served.' as detail,
        (select e.recorded_at from billing.entry e where e.id = p.entry_id) as happened_at
      from billing.payment p
      where p.outcome = 'refund-due' and coalesce((
        select l.outcome from billing.payment l where l.call_id = p.entry_id order by l.place desc limit 1), '') <> 'reversed'
        and not exists (
          select 1 from billing.match m where m.entry_id = p.entry_id and m.rule = 'refund' and m.state <> 'undone')
        and not exists (select 1 from billing.customer_credit c where c.entry_id = p.entry_id)`,
    values: [],
  };
}

/** What one payment was counted for twice, and money that came in by no payment. */
export function checkTransfers(scope: PaymentScope = 'all'): Check {
  const isOpen = scope === 'open';
  const among = (payer: string): string =>
    isOpen ? `and (network, asset, ${payer}, nonce) in (select network, asset, payer, nonce from key)` : '';
  return {
    name: 'transfers',
    classes: ['duplicate-settlement', 'unknown-inbound', 'unknown-outbound'],
    text: `
      ${isOpen ? `with key as materialized (${openKeys(3)})` : ''}
      select 'duplicate-settlement' as class, 'entry:' || p.entry_id as subject,
        ${keys} || jsonb_build_object('entry', p.entry_id, 'first', p.first) as keys,
        ${codeSql('p.asset')} as asset, p.amount, 'receipt' as side, 'Another entry records the same payment.' as detail,
        (select e.recorded_at from billing.entry e where e.id = p.entry_id) as happened_at
      from (
        select *, first_value(entry_id) over (
          partition by network, asset, payer, nonce order by place) as first
        from billing.payment where (network, asset, payer, nonce) in (
          -- The few that are there twice, before any of them is put in order.
          select network, asset, payer, nonce from billing.payment
          where outcome in ('settled', 'deferred', 'refund-due') ${among('payer')}
          group by network, asset, payer, nonce having count(*) > 1)
          and outcome in ('settled', 'deferred', 'refund-due')) p
      where p.entry_id <> p.first
      union all
      select 'duplicate-settlement', 'transfer:' || p.id,
        ${keys} || jsonb_build_object('transaction', p.transaction, 'first', p.first),
        ${codeSql('p.asset')}, p.value, 'chain', 'Another transfer was made by the same authorization.', p.block_time
      from (
        select *, authorizer as payer, row_number() over key as place, first_value(transaction) over key as first
        from billing.chain_transfer
        where orphaned_at is null and authorizer is not null and to_address = pay_to ${among('authorizer')}
        window key as (partition by network, asset, authorizer, nonce order by block_number, log_index)) p
      where p.place > 1
      union all
      -- The name of one in USDC is older than the second token, so it does not say its token.
      select 'unknown-inbound', concat_ws('/', p.network, p.pay_to, p.transaction, p.place,
          nullif(${codeSql('p.asset')}, 'USDC')),
        jsonb_build_object('network', p.network, 'asset', p.asset, 'from', p.from_address,
          'to', p.pay_to, 'transaction', p.transaction, 'place', p.place::text),
        ${codeSql('p.asset')}, p.value - p.matched, 'chain',
        'Money came in by no authorization, and no entry can explain it.',
        p.block_time
      from (
        -- Its place among the wallet's transfers in the transaction: one that is mined again keeps it, a log index may not.
        select t.*, (
            select count(*) from billing.chain_transfer o
            where o.watch = t.watch and o.transaction = t.transaction and o.orphaned_at is null
              and o.log_index <= t.log_index) as place,
            -- What paid an invoice is explained.
            coalesce((
              select sum(m.amount) from billing.match m where m.transfer_id = t.id and m.state <> 'undone'), 0) as matched
        from billing.chain_transfer t
        where t.orphaned_at is null and t.authorizer is null and t.to_address = t.pay_to and t.from_address <> t.pay_to
          -- Anybody may send nothing to anybody.
          and t.value > 0 and not ${explainedSql('t')}) p
      where p.value > p.matched
      union all
      select 'unknown-outbound', concat_ws('/', p.network, p.pay_to, p.transaction, 'out', p.place, p.code),
        jsonb_build_object('network', p.network, 'asset', p.asset, 'from', p.pay_to, 'to', p.to_address,
          'wallet', p.pay_to, 'transaction', p.transaction, 'place', p.place::text),
        p.code, p.value, 'chain', 'Money left for a wallet that nobody has named.', p.block_time
      from (
        select t.*, ${codeSql('t.asset')} as code, (
            select count(*) from billing.chain_transfer o
            where o.watch = t.watch and o.transaction = t.transaction and o.orphaned_at is null
              and o.log_index <= t.log_index) as place
        from billing.chain_transfer t
        where t.orphaned_at is null and t.from_address = t.pay_to and t.to_address <> t.from_address and t.value > 0
          -- Where nobody has named where money goes to, all of it goes to strangers.
          and t.block_time >= (
            select min(w.added_at) from billing.wallet w where w.network = t.network and w.kind = 'treasury')
          and not exists (
            select 1 from billing.wallet w
            where w.network = t.network and w.address = t.to_address and w.since <= t.block_time)
          -- Of a time before the wallet was ours.
          and not ${notOursSql('t')}
          and not exists (select 1 from billing.match m where m.transfer_id = t.id and m.state <> 'undone')
          -- What pays for a call of ours is told by its entry.
          and not exists (
            select 1 from billing.payment b
            where (b.network, b.asset, b.payer, b.nonce) = (t.network, t.asset, t.authorizer, t.nonce))) p`,
    values: isOpen ? [['duplicate-settlement']] : [],
  };
}
