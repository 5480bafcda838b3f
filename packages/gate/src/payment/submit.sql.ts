/** Makes a wallet known, or moves its nonce on when the chain is ahead because the wallet was used elsewhere. */
export const openWallet = `
  insert into keyfare.wallet (network, address, next_nonce) values ($1, $2, $3)
  on conflict (network, address) do update set next_nonce = greatest(wallet.next_nonce, excluded.next_nonce)`;

/** Takes so many nonces. The row stays locked until the signed transactions are stored. */
export const takeNonces = `
  update keyfare.wallet set next_nonce = next_nonce + $3 where network = $1 and address = $2
  returning next_nonce - $3 as first`;

/** Marks the payments that are still this process's own; whatever was taken from it is not submitted. */
export const submitPayments = `
  update keyfare.payment p set state = 'submitted', call = i.call, response_body = i.body, waiting_until = i.until,
    wallet = $6, wallet_nonce = -1 - i.n
  from unnest($1::uuid[], $2::jsonb[], $3::bytea[], $4::timestamptz[]) with ordinality as i(id, call, body, until, n)
  where p.exchange_id = i.id and p.state = 'claimed' and p.replica_id = $5
  returning p.exchange_id`;

/** Writes the nonces that the submitted payments got. */
export const numberPayments = `
  update keyfare.payment p set wallet = $3, wallet_nonce = i.nonce
  from unnest($1::uuid[], $2::bigint[]) as i(id, nonce) where p.exchange_id = i.id and p.state = 'submitted'`;

/** Stores signed transactions, before anybody broadcasts them. */
export const storeSettlements = `
  insert into keyfare.settlement (transaction, network, wallet, wallet_nonce, raw, max_fee_per_gas,
    max_priority_fee_per_gas, created_at)
  select t, $6, $7, n, r, f, p, $8
  from unnest($1::text[], $2::bigint[], $3::bytea[], $4::numeric[], $5::numeric[]) as i(t, n, r, f, p)
  on conflict (transaction) do nothing`;

/** Every transaction stored for these payments, replacements too, oldest first. */
export const selectSettlements = `
  select p.exchange_id, s.transaction, s.wallet_nonce, s.raw, s.max_fee_per_gas, s.max_priority_fee_per_gas
  from keyfare.payment p
  join keyfare.settlement s on s.network = p.network and s.wallet = p.wallet and s.wallet_nonce = p.wallet_nonce
  where p.exchange_id = any($1::uuid[]) order by s.created_at`;

/** Stored transactions that the chain does not count, after it lost its newest blocks. */
export const selectUncounted = `
  select transaction, wallet_nonce, raw, max_fee_per_gas, max_priority_fee_per_gas from keyfare.settlement
  where network = $1 and wallet = $2 and wallet_nonce >= $3 order by wallet_nonce, created_at`;
