import type { Check } from './check.js';

/** What the chain says that the wallet holds. */
export interface BalanceReading {
  readonly watch: string;
  readonly blockNumber: bigint;
  readonly blockHash: string;
  readonly balance: bigint;
}

/**
 * The balance identity: what the wallet held at first, and its transfers up to a block, come to what it holds after that
 * block. It finds transfers that no node has shown. While the opening balance is not known it says nothing.
 */
export function checkBalance({ watch, blockNumber, blockHash, balance }: BalanceReading): Check {
  return {
    classes: ['balance-mismatch'],
    text: `
      with explained as (
        select c.watch, c.network, c.asset, c.pay_to, c.opening_balance + coalesce((
          select sum(case when t.to_address = t.pay_to then t.value else 0 end
            - case when t.from_address = t.pay_to then t.value else 0 end)
          from billing.chain_transfer t
          where t.watch = c.watch and t.orphaned_at is null and t.block_number <= $4::bigint), 0) as amount
        from billing.chain_cursor c
        where c.watch = $3 and exists (
          select 1 from billing.chain_block b where b.watch = $3 and b.number = $4::bigint and b.hash = $5))
      select 'balance-mismatch' as class, watch as subject,
        jsonb_build_object('network', network, 'asset', asset, 'wallet', pay_to) as keys, 'USDC' as asset,
        abs($6::numeric - amount) as amount, 'chain' as side,
        format('The wallet holds %s atomic units, its transfers explain %s.', $6::numeric, amount) as detail
      from explained where amount <> $6::numeric`,
    values: [watch, blockNumber.toString(), blockHash, balance.toString()],
  };
}
