/** Makes a wallet known, or moves its nonce on when the chain is ahead because the wallet was used elsewhere. */
export const openWallet = `
  insert into keyfare.wallet (network, address, next_nonce) values ($1, $2, $3)
  on conflict (network, address) do update set next_nonce = greatest(wallet.next_nonce, excluded.next_nonce)`;

/**
 * Marks the payments that are still this process's own, and gives each a nonce of the wallet; whatever was taken from it
 * is not submitted. The wallet's row stays locked until the signed transactions are stored.
 */
export const submitPayments = `
  with item as materialized (
    select * from unnest($1::uuid[], $2::jsonb[], $3::bytea[], $4::timestamptz[], $5::bigint[]) with ordinality
    as t(id, call, body, until, block, n)),
  mine as (
    select p.exchange_id as id from keyfare.payment p join item i on p.exchange_id = i.id
    where p.state = 'claimed' and p.replica_id = $6 for update of p),
  taken as (
    update keyfare.wallet set next_nonce = next_nonce + (select count(*) from mine)
    where network = $7 and address = $8 returning next_nonce - (select count(*) from mine) as first),
  numbered as (
    select i.*, t.first + row_number() over (order by i.n) - 1 as nonce from item i join mine using (id), taken t)
  update keyfare.payment p set state = 'submitted', call = i.call, response_body = i.body, waiting_until = i.until,
    unused_at_block = i.block, wallet = $8, wallet_nonce = i.nonce
  from numbered i where p.exchange_id = i.id
  returning p.exchange_id, p.wallet_nonce`;

/** Takes a nonce for a payment whose first one went to something else. */
export const renumberPayment = `
  with taken as (
    update keyfare.wallet set next_nonce = next_nonce + 1 where network = $2 and address = $3
    returning next_nonce - 1 as nonce)
  update keyfare.payment p set wallet = $3, wallet_nonce = t.nonce
  from taken t where p.exchange_id = $1 and p.state = 'submitted'
  returning p.exchange_id, p.wallet_nonce`;

/** Stores signed transactions, before anybody broadcasts them. */
export const storeSettlements = `
  insert into keyfare.settlement (transaction, network, wallet, wallet_nonce, raw, max_fee_per_gas,
    max_priority_fee_per_gas, created_at)
  select t, $6, $7, n, r, f, p, $8
  from unnest($1::text[], $2::bigint[], $3::bytea[], $4::numeric[], $5::numeric[]) as i(t, n, r, f, p)
  on conflict (transaction) do nothing`;

/** Every transaction stored for these payments, replacements too, oldest first: the newest offers the most. */
export const selectSettlements = `
  select p.exchange_id, s.transaction, s.wallet_nonce, s.raw, s.max_fee_per_gas, s.max_priority_fee_per_gas
  from keyfare.payment p
  join keyfare.settlement s on s.network = p.network and s.wallet = p.wallet and s.wallet_nonce = p.wallet_nonce
  where p.exchange_id = any($1::uuid[]) order by s.max_fee_per_gas, s.max_priority_fee_per_gas`;

/** The newest transaction of each nonce that the chain does not count though it is stored. */
export const selectUncounted = `
  select distinct on (wallet_nonce) transaction, wallet_nonce, raw, max_fee_per_gas, max_priority_fee_per_gas
  from keyfare.settlement
  where network = $1 and wallet = $2 and wallet_nonce >= $3
  order by wallet_nonce, max_fee_per_gas desc, max_priority_fee_per_gas desc`;
