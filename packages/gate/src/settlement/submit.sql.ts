/** Makes a wallet known, or moves its nonce on when the chain is ahead because the wallet was used elsewhere. */
export const openWallet = `
  insert into keyfare.wallet (network, address, next_nonce) values ($1, $2, $3)
  on conflict (network, address) do update set next_nonce = greatest(wallet.next_nonce, excluded.next_nonce)`;

/**
 * Locks the wallet's row until the transaction ends: so nonces are handed out one after the other, by all processes.
 */
export const lockWallet = `
  select next_nonce from keyfare.wallet where network = $1 and address = $2 for update`;

/** Stores signed transactions, before anybody broadcasts them, and takes the nonces that they use. */
export const storeSettlements = `
  with stored as (
    insert into keyfare.settlement (transaction, network, wallet, wallet_nonce, raw, max_fee_per_gas,
      max_priority_fee_per_gas, created_at)
    select t, $6, $7, n, r, f, p, $8
    from unnest($1::text[], $2::bigint[], $3::bytea[], $4::numeric[], $5::numeric[]) as i(t, n, r, f, p)
    on conflict (transaction) do nothing)
  update keyfare.wallet set next_nonce = (select max(n) + 1 from unnest($2::bigint[]) as i(n))
  where network = $6 and address = $7 and next_nonce <= (select max(n) from unnest($2::bigint[]) as i(n))`;

/** Every transaction stored under these nonces, replacements too, oldest first: the newest offers the most. */
export const selectSettlements = `
  select transaction, wallet_nonce, raw, max_fee_per_gas, max_priority_fee_per_gas
  from keyfare.settlement
  where network = $1 and wallet = $2 and wallet_nonce = any($3::bigint[])
  order by max_fee_per_gas, max_priority_fee_per_gas`;

/** The newest transaction of each nonce that the chain does not count though it is stored. */
export const selectUncounted = `
  select distinct on (wallet_nonce) transaction, wallet_nonce, raw, max_fee_per_gas, max_priority_fee_per_gas
  from keyfare.settlement
  where network = $1 and wallet = $2 and wallet_nonce >= $3
  order by wallet_nonce, max_fee_per_gas desc, max_priority_fee_per_gas desc`;

/** The next nonce of a wallet: those below it were handed out. */
export const selectNextNonce = `
  select next_nonce from keyfare.wallet where network = $1 and address = $2`;
