import type { Network } from '@keyfare/core/x402';

/** What the two sides of a payment are judged by. */
export interface PaymentJudgement {
  /** How long one side may know of a payment before the other does. */
  readonly graceSeconds: number;
  /** Every entry that was committed by then has been read; null while there is no such moment. */
  readonly entriesCompleteAsOf: Date | null;
  /** The wallet that payments go to now. Others of the same network are read too, where the books know them. */
  readonly network: Network;
  readonly payTo: string;
}

/** The values of the four parameters that `payments` takes. */
export function paymentParameters({ graceSeconds, entriesCompleteAsOf, network, payTo }: PaymentJudgement): unknown[] {
  return [graceSeconds, entriesCompleteAsOf, network.caip2, payTo];
}

// How long an idle chain, which makes no block past the entry, is waited for: so many times the grace.
const idleFactor = 10;

// A payment lives for a day at most: what was not collected of a call on credit by then, and not given up, is
// forgotten.
const longestLife = `interval '24 hours'`;

/**
 * Common table expressions that end in `payments`: one row for each payment that an entry or the chain knows, with what
 * either says and a `status`. A payment is named by (network, asset, payer, nonce), which EIP-3009 lets be used once.
 * `first` is the number of the first of its four parameters.
 */
export function payments(first: number): string {
  const grace = `make_interval(secs => $${first}::double precision)`;
  const overdue = {
    settlement: settlementOverdue(first, grace),
    record: recordOverdue(first, grace),
    collection: collectionOverdue(first, grace),
  };
  return `
  recorded as (
    select distinct on (network, asset, payer, nonce) b.*, l.entry_id as told_by, case
        when b.outcome = 'settled' then case l.outcome when 'reversed' then 'reversed' when 'unpaid' then 'lost'
          else 'settled' end
        when b.outcome = 'deferred' then case l.outcome when 'settlement' then 'collected' when 'unpaid' then 'written-off'
          else 'deferred' end
        else case l.outcome when 'reversed' then 'void' else 'owed' end end as state,
      case l.outcome when 'settlement' then l.issued_at else b.issued_at end as moved_at,
      case l.outcome when 'settlement' then l.transaction else b.transaction end as moved_by
    from billing.payment b
    left join lateral (
      select * from billing.payment l where l.call_id = b.entry_id order by l.place desc limit 1) as l on true
    where b.outcome in ('settled', 'deferred', 'refund-due')
    order by network, asset, payer, nonce, b.place),
  settled as (
    select distinct on (network, asset, authorizer, nonce) *, authorizer as payer from billing.chain_transfer
    where orphaned_at is null and authorizer is not null and to_address = pay_to
    order by network, asset, authorizer, nonce, block_number, log_index),
  sides as (
    select network, asset, payer, nonce, r.entry_id, r.told_by, r.state, r.outcome, r.sku, r.issued_at, r.moved_at,
      r.pay_to as recorded_pay_to, r.amount as recorded_amount, r.moved_by as recorded_transaction,
      s.id as transfer_id, s.watch as settled_watch, s.value as settled_amount, s.transaction as settled_transaction,
      s.block_number, s.block_time, s.seen_at
    from recorded r full join settled s using (network, asset, payer, nonce)),
  payments as (
    select p.*, c.watch, o.orphaned_at,
      case when p.transfer_id is null then null
        when p.block_number <= w.finalized_number then 'final' else 'provisional' end as finality,
      case when p.transfer_id is not null and p.recorded_amount <> p.settled_amount then 'amount-mismatch'
        when p.transfer_id is not null and p.state in ('settled', 'collected', 'owed') then 'matched'
        when p.transfer_id is not null
          then case when ${overdue.record} then 'settled-not-recorded' else 'awaiting-record' end
        when p.state = 'deferred' then case when ${overdue.collection} then 'deferred-overdue' else 'deferred' end
        when p.state in ('written-off', 'lost', 'reversed') then 'uncollectable'
        when p.state = 'void' then 'reversed'
        when ${overdue.settlement} then 'recorded-not-settled' else 'awaiting-settlement' end as status
    from sides p
    left join billing.chain_cursor c on c.network = p.network and c.asset = p.asset and c.pay_to = p.recorded_pay_to
      and c.network = $${first + 2}::text
    left join billing.chain_cursor w on w.watch = p.settled_watch
    left join lateral (
      select max(t.orphaned_at) as orphaned_at from billing.chain_transfer t
      where p.transfer_id is null and t.network = p.network and t.asset = p.asset and t.authorizer = p.payer
        and t.nonce = p.nonce) o on true)`;
}

/**
 * Whether a recorded payment should be on the chain by now: all of the chain was read well after the receipt, and the
 * chain has a block that is later than it, for a node that stands still shows nothing new. A transfer that was seen and
 * orphaned gets the grace again, for it is usually mined again. While the configured wallet was never read, nothing can
 * be said of its payments. A wallet that the books do not know, or know on another network than the configured one, is
 * not read: its payments would wait for ever.
 */
function settlementOverdue(first: number, grace: string): string {
  return `coalesce(
    case when c.watch is null then (p.network, p.recorded_pay_to) <> ($${first + 2}::text, $${first + 3}::text)
      when o.orphaned_at is not null then c.complete_as_of >= o.orphaned_at + ${grace}
      else c.complete_as_of >= p.moved_at + ${grace}
        and (c.block_time >= p.moved_at + ${grace} or c.complete_as_of >= p.moved_at + ${idleFactor} * ${grace})
      end, false)`;
}

/**
 * Whether an entry should have come by now for a transfer: the intake is complete as of a moment that is later than the
 * transfer by the grace. A chain's clock may run ahead of ours; then the moment it was seen counts.
 */
function recordOverdue(first: number, grace: string): string {
  return `coalesce($${first + 1}::timestamptz >= least(p.block_time, p.seen_at) + ${grace}, false)`;
}

/**
 * Whether a call on credit should have been collected or given up by now: the log is complete well past its payment's
 * life.
 */
function collectionOverdue(first: number, grace: string): string {
  return `coalesce($${first + 1}::timestamptz >= p.issued_at + ${longestLife} + ${grace}, false)`;
}
