import type { Network } from '@keyfare/core/x402';
import { explainedSql } from '../explained.sql.js';

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
 * The keys of the payments of which something is open, and of those of which a break of the classes `$<classes>` is
 * present: for breaks of a payment that only a full audit looked at.
 */
export function openKeys(classes: number): string {
  return `
    select network, asset, payer, nonce from billing.open_payment
    union
    select keys ->> 'network', keys ->> 'asset', keys ->> 'payer', keys ->> 'nonce' from billing.break
    where present and class = any($${classes}::text[])`;
}

/**
 * Common table expressions that end in `sides`: one row for each payment that an entry or the chain knows, with what
 * either says. A payment is named by (network, asset, payer, nonce), which EIP-3009 lets be used once. `keys` selects
 * the keys of those that are looked at; without it, all are. The cost follows their number.
 */
export function paymentSides(keys?: string): string {
  const scope = keys === undefined ? '' : 'key join';
  return `
  ${keys === undefined ? '' : `key as materialized (${keys}),`}
  recorded as (
    select distinct on (b.network, b.asset, b.payer, b.nonce) b.*, l.entry_id as told_by, case
        when b.outcome = 'settled' then case l.outcome when 'reversed' then 'reversed' when 'unpaid' then 'lost'
          else 'settled' end
        when b.outcome = 'deferred' then case l.outcome when 'settlement' then 'collected' when 'unpaid' then 'written-off'
          else 'deferred' end
        else case l.outcome when 'reversed' then 'void' else 'owed' end end as state,
      case l.outcome when 'settlement' then l.issued_at else b.issued_at end as moved_at,
      case l.outcome when 'settlement' then l.transaction else b.transaction end as moved_by
    from ${scope} billing.payment b ${on('b.payer', keys)}
    left join lateral (
      select * from billing.payment l where l.call_id = b.entry_id order by l.place desc limit 1) as l on true
    where b.outcome in ('settled', 'deferred', 'refund-due')
    order by b.network, b.asset, b.payer, b.nonce, b.place),
  settled as (
    select distinct on (b.network, b.asset, b.authorizer, b.nonce) b.*, b.authorizer as payer
    from ${scope} billing.chain_transfer b ${on('b.authorizer', keys)}
    where b.orphaned_at is null and b.authorizer is not null and b.to_address = b.pay_to
    order by b.network, b.asset, b.authorizer, b.nonce, b.block_number, b.log_index, b.id),
  sides as (
    select network, asset, payer, nonce, r.entry_id, r.told_by, r.state, r.outcome, r.sku, r.issued_at, r.moved_at,
      r.pay_to as recorded_pay_to, r.amount as recorded_amount, r.moved_by as recorded_transaction,
      s.id as transfer_id, s.watch as settled_watch, s.value as settled_amount, s.transaction as settled_transaction,
      s.block_number, s.block_time, s.seen_at, s.pay_to, s.from_address, s.to_address, s.sender, s.dust
    from recorded r full join settled s using (network, asset, payer, nonce))`;
}

function on(payer: string, keys: string | undefined): string {
  return keys === undefined
    ? ''
    : `on (b.network, b.asset, ${payer}, b.nonce) = (key.network, key.asset, key.payer, key.nonce)`;
}

/** SQL for whether the log says of a side that its money has moved. */
const moved = `p.state in ('settled', 'collected', 'owed')`;

/**
 * Common table expressions that end in `payments`: each payment of `paymentSides` with its `status` and its match.
 * `matched` is what has a match; two sides that should have one and do not are a `match-mismatch` of the audit, and
 * `awaiting-record` here. `first` is the number of the first of its four parameters.
 */
export function payments(first: number, keys?: string): string {
  const grace = `make_interval(secs => $${first}::double precision)`;
  const overdue = {
    settlement: settlementOverdue(first, grace),
    record: recordOverdue(first, grace),
    collection: collectionOverdue(first, grace),
  };
  return `${paymentSides(keys)},
  payments as (
    select p.*, c.watch, o.orphaned_at, m.id as match_id,
      case when p.transfer_id is null then null when m.id is not null then m.state
        when p.block_number <= w.finalized_number then 'final' else 'provisional' end as finality,
      case when p.transfer_id is not null and p.recorded_amount <> p.settled_amount then 'amount-mismatch'
        -- A payment of nothing has nothing to match.
        when m.id is not null or p.transfer_id is not null and ${moved} and p.settled_amount = 0 then 'matched'
        when p.transfer_id is not null and ${moved} then 'awaiting-record'
        when p.transfer_id is not null and p.state is null and ${explainedSql('p')} then 'explained'
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
    left join billing.match m on m.entry_id = p.entry_id and m.transfer_id = p.transfer_id and m.state <> 'undone'
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
