/**
 * What the journals of gas should come to: `source`, `account`, `asset`, `amount`, debits positive. Each transaction of
 * a settler of ours in a final block once, and what operators and first looks said of a settler's balance.
 */
export const expectedGas = `
  select 'gas:' || g.network || '/' || g.transaction as source, line.account, 'ETH' as asset, line.sign * g.fee as amount
  from (
    select distinct t.network, t.transaction, t.sender, t.transaction_fee as fee
    from billing.chain_transfer t
    join billing.chain_cursor c on c.watch = t.watch and t.block_number <= c.finalized_number
    join billing.wallet w on w.network = t.network and w.address = t.sender and w.kind = 'settler'
      and w.since <= t.block_time
    where t.orphaned_at is null and t.transaction_fee > 0) as g
  cross join lateral (values ('gas:' || g.network, 1), ('eth:' || g.network || ':' || g.sender, -1)) as line (account, sign)
  union all
  select 'gas-reading:' || r.id, line.account, 'ETH', line.sign * (r.balance - r.booked)
  from billing.gas_reading r
  cross join lateral (values
    ('eth:' || r.network || ':' || r.wallet, 1),
    (case r.kind when 'opening' then 'opening-balance-eth:' when 'top-up' then 'gas-funding:' else 'gas:' end
      || r.network, -1)) as line (account, sign)
  where r.state = 'posted'`;
