import type { Sql } from '@keyfare/db/sql';
import { codeSql } from '../../token.js';
import type { Check } from './check.js';

/** What the chain says that a wallet holds. */
export interface BalanceReading {
  readonly watch: string;
  readonly blockNumber: bigint;
  readonly blockHash: string;
  readonly balance: bigint;
}

function columnsOf(readings: readonly BalanceReading[]): readonly (readonly string[])[] {
  return [
    readings.map(({ watch }) => watch),
    readings.map(({ blockNumber }) => blockNumber.toString()),
    readings.map(({ blockHash }) => blockHash),
    readings.map(({ balance }) => balance.toString()),
  ];
}

/**
 * Whether every wallet of the books can be compared with what it holds: it was read at a block that the books still
 * know, and what it held at first is known. A wallet that cannot be must not pass for one that agrees.
 */
export async function canCheckBalances(tx: Sql, readings: readonly BalanceReading[]): Promise<boolean> {
  const [row] = await tx.query<{ whole: boolean | null }>({
    text: `
      select bool_and(c.opening_balance is not null and b.number is not null) as whole
      from billing.chain_cursor c
      left join unnest($1::text[], $2::bigint[], $3::text[], $4::numeric[]) as r (watch, number, hash, balance)
        on r.watch = c.watch
      left join billing.chain_block b on b.watch = r.watch and b.number = r.number and b.hash = r.hash`,
    values: columnsOf(readings),
  });
  return row?.whole === true;
}

/**
 * The balance identity: what a wallet held at first, and its transfers up to a block, come to what it holds after that
 * block. It finds transfers that no node has shown. `whole` is the answer of `canCheckBalances`.
 */
export function checkBalances(readings: readonly BalanceReading[], { whole }: { whole: boolean }): Check {
  return {
    name: 'balances',
    classes: whole ? ['balance-mismatch'] : [],
    text: `
      with held as (
        select * from unnest($3::text[], $4::bigint[], $5::text[], $6::numeric[]) as t (watch, number, hash, balance)),
      compared as (
        select c.watch, c.network, c.asset, c.pay_to, h.balance - c.opening_balance - coalesce((
          select sum(case when t.to_address = t.pay_to then t.value else 0 end
            - case when t.from_address = t.pay_to then t.value else 0 end)
          from billing.chain_transfer t
          where t.watch = c.watch and t.orphaned_at is null and t.block_number <= h.number), 0) as surplus
        from held h
        join billing.chain_cursor c on c.watch = h.watch
        join billing.chain_block b on b.watch = h.watch and b.number = h.number and b.hash = h.hash)
      select 'balance-mismatch' as class, watch as subject,
        jsonb_build_object('network', network, 'asset', asset, 'wallet', pay_to) as keys, ${codeSql('asset')} as asset,
        abs(surplus) as amount, 'chain' as side,
        -- The difference alone: the balance itself changes with every payment.
        format('The wallet holds %s atomic units %s than its transfers explain.', abs(surplus),
          case when surplus > 0 then 'more' else 'less' end) as detail
      from compared where surplus <> 0`,
    values: columnsOf(readings),
  };
}
