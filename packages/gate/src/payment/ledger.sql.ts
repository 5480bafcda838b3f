/**
 * `claimed` or `served` → `settling`: of the claimed only those that are still this process's own, of the served any,
 * for those belong to whoever collects them first. Items of one share get one nonce, in the order of the shares.
 */
export const startPayments = `
  with item as materialized (
    select * from unnest($1::uuid[], $2::jsonb[], $3::timestamptz[], $4::bigint[], $8::bigint[])
    as t(id, call, until, block, share)),
  mine as (
    select p.exchange_id as id from keyfare.payment p join item i on p.exchange_id = i.id
    where p.state = 'served' or (p.state = 'claimed' and p.replica_id = $5) for update of p),
  placed as (
    select i.*, dense_rank() over (order by i.share) - 1 as place from item i join mine using (id))
  update keyfare.payment p set state = 'settling', call = coalesce(i.call, p.call), waiting_until = i.until,
    unused_at_block = i.block, replica_id = $5, wallet = $6, wallet_nonce = $7::bigint + i.place
  from placed i where p.exchange_id = i.id
  returning p.exchange_id, p.wallet_nonce`;

/** Another nonce, one for all, for payments whose first one went to something else. */
export const renumberPayments = `
  update keyfare.payment set wallet = $2, wallet_nonce = $3::bigint
  where exchange_id = any($1::uuid[]) and state in ('settling', 'settled')
  returning exchange_id, wallet_nonce`;

/** The nonces that payments have. */
export const selectNumbers = `
  select exchange_id, wallet_nonce from keyfare.payment
  where exchange_id = any($1::uuid[]) and wallet_nonce is not null`;

/** `settled` → `final`. Answers what is final now, whoever made it so, and what has failed meanwhile. */
export const finalizePayments = `
  with moved as (
    update keyfare.payment set state = 'final' where exchange_id = any($1::uuid[]) and state = 'settled'
    returning exchange_id)
  select exchange_id from moved
  union
  select exchange_id from keyfare.payment where exchange_id = any($1::uuid[]) and state in ('final', 'failed', 'expired')`;

/** `final` → `settled`, with this process as the owner: the chain lost blocks that counted as final. */
export const reopenPayments = `
  update keyfare.payment set state = 'settled', replica_id = $4
  where state = 'final' and network = $1 and wallet = $2 and wallet_nonce >= $3
  returning *`;

/** Payments that have a settlement stored and are not final. */
export const selectResumed = `
  select * from keyfare.payment
  where exchange_id = any($1::uuid[]) and state in ('settling', 'settled') and wallet_nonce is not null`;

const waiting = `from keyfare.payment
  where not closed and state = 'served' and network = $1 and not (exchange_id = any($2::uuid[]))`;

/** What waits to be collected, by asset. */
export const selectWaiting = `
  select asset, count(*)::int as count, sum(amount)::text as amount, min(served_at) as oldest,
    min(valid_before) as valid_before ${waiting} group by asset order by asset`;

/** What waits to be collected, by payer, the largest sums first. */
export const selectWaitingByPayer = `
  select payer, asset, sum(amount)::text as amount ${waiting} group by payer, asset order by sum(amount) desc limit $3`;

/** Payments that wait to be collected, those that run out first before the others. */
export const selectDeferred = `
  select * ${waiting} and ($3::text[] is null or payer = any($3::text[])) order by valid_before, exchange_id limit $4`;
