import type { RefundState } from './refund.entity.js';

/** A refund as the driver gives it. */
export interface RefundRow {
  readonly entry_id: string;
  readonly network: string;
  readonly asset: `0x${string}`;
  readonly payer: `0x${string}`;
  readonly amount: string;
  readonly state: RefundState;
  readonly proposed_by: string;
  readonly proposed_name: string;
  readonly proposed_at: Date;
  readonly decided_by: string | null;
  readonly decided_name: string | null;
  readonly decided_at: Date | null;
  readonly valid_before: string | null;
  readonly signature: Buffer | null;
  readonly unused_at_block: string | null;
  readonly wallet: string | null;
  readonly wallet_nonce: string | null;
  readonly transaction: string | null;
  readonly failure: string | null;
}

/**
 * `approved` → `settling`: whoever comes first takes the step, whatever process it is. Items of one share get one
 * nonce, in the order of the shares.
 */
export const startRefunds = `
  with item as materialized (
    select * from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as t(id, block, share)),
  mine as (
    select r.entry_id as id from keyfare.refund r join item i on r.entry_id = i.id
    where r.state = 'approved' and r.signature is not null for update of r),
  placed as (
    select i.*, dense_rank() over (order by i.share) - 1 as place from item i join mine using (id))
  update keyfare.refund r set state = 'settling', unused_at_block = i.block, replica_id = $4, wallet = $5,
    wallet_nonce = $6::bigint + i.place
  from placed i where r.entry_id = i.id
  returning r.entry_id, r.wallet_nonce`;

/** Another nonce, one for all, for refunds whose first one went to something else. */
export const renumberRefunds = `
  update keyfare.refund set wallet = $2, wallet_nonce = $3::bigint
  where entry_id = any($1::uuid[]) and state in ('settling', 'settled') returning entry_id, wallet_nonce`;

export const selectRefundNumbers = `
  select entry_id, wallet_nonce from keyfare.refund where entry_id = any($1::uuid[]) and wallet_nonce is not null`;

/** `settled` → `final`. Answers what is final now, whoever made it so, and what is to be paid anew. */
export const finalizeRefunds = `
  with moved as (
    update keyfare.refund set state = 'final' where entry_id = any($1::uuid[]) and state = 'settled' returning entry_id)
  select entry_id from moved
  union
  select entry_id from keyfare.refund where entry_id = any($1::uuid[]) and state in ('final', 'approved')`;

/** `final` → `settled`, with this process as the owner: the chain lost blocks that counted as final. */
export const reopenRefunds = `
  update keyfare.refund set state = 'settled', replica_id = $4
  where state = 'final' and network = $1 and wallet = $2 and wallet_nonce >= $3 returning *`;

export const selectResumedRefunds = `
  select * from keyfare.refund where entry_id = any($1::uuid[]) and state in ('settling', 'settled')`;

/** What this process has to pay or to follow. What is only approved is anybody's. */
export const selectOpenRefunds = `
  select * from keyfare.refund
  where state = 'approved' or (state in ('settling', 'settled') and replica_id = $1)
  order by entry_id limit 100`;

/** What dead processes followed is this one's. */
export const adoptRefunds = `
  update keyfare.refund set replica_id = $1
  where state in ('settling', 'settled') and replica_id <> $1
    and (replica_id = any($2::uuid[]) or not exists (select 1 from keyfare.replica p where p.id = refund.replica_id))`;

/** The authorization that is to be sent, before anybody sends it. */
export const signRefund = `
  update keyfare.refund set valid_before = $2, signature = $3, unused_at_block = $4, failure = null
  where entry_id = $1 and state = 'approved' returning *`;

/** A transaction moved it. */
export const settleRefund = `
  update keyfare.refund set state = 'settled', transaction = $2, failure = null
  where entry_id = $1 and state in ('settling', 'settled')`;

/** Nothing did, and nothing will: it is paid anew. The authorization has the same nonce, so only one can ever move. */
export const retryRefund = `
  update keyfare.refund set state = 'approved', transaction = null, wallet = null, wallet_nonce = null,
    replica_id = null, failure = $2
  where entry_id = $1 and state in ('settling', 'settled')`;

/**
 * Proposes what an entry says that is owed, once its payment is final. The entry is the log's own: what it says is
 * what was signed.
 */
export const proposeRefund = `
  insert into keyfare.refund (entry_id, network, asset, payer, amount, state, proposed_by, proposed_name, proposed_at)
  select e.id, p.network, p.asset, p.payer, p.amount, 'proposed', $2, $3, $4
  from keyfare.entry e
  cross join lateral (select convert_from(e.payload, 'UTF8')::jsonb as said) d
  join keyfare.payment p on p.network = d.said ->> 'network' and p.asset = d.said ->> 'asset'
    and p.payer = d.said ->> 'payer' and p.nonce = d.said ->> 'nonce' and p.amount = (d.said ->> 'amount')::numeric
  where e.id = $1 and e.kind = 'refund-due' and p.state = 'final' and p.refund_due_at is not null
  on conflict (entry_id) do update set state = 'proposed', proposed_by = excluded.proposed_by,
    proposed_name = excluded.proposed_name, proposed_at = excluded.proposed_at, decided_by = null, decided_name = null,
    decided_at = null
  where refund.state = 'rejected'
  returning *`;

/** Of a refund that was rejected; the log need not have its entry any more. */
export const creditRejected = `
  update keyfare.refund set state = 'credited', decided_by = $2, decided_name = $3, decided_at = $4
  where entry_id = $1 and state = 'rejected' returning *`;

/** Answers nothing for an entry that says nothing is owed, and for one that was proposed before. */
export const creditRefund = `
  insert into keyfare.refund (entry_id, network, asset, payer, amount, state, proposed_by, proposed_name, proposed_at,
    decided_by, decided_name, decided_at)
  select e.id, d.said ->> 'network', d.said ->> 'asset', d.said ->> 'payer', (d.said ->> 'amount')::numeric, 'credited',
    $2, $3, $4, $2, $3, $4
  from keyfare.entry e
  cross join lateral (select convert_from(e.payload, 'UTF8')::jsonb as said) d
  where e.id = $1 and e.kind = 'refund-due' and (d.said ->> 'amount')::numeric > 0
  on conflict (entry_id) do nothing
  returning *`;
