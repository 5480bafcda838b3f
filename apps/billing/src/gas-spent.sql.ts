import { codeSql } from './token.js';

/**
 * SQL for what transactions of settlers of ours have cost and brought in, worked out from the transfers that final
 * blocks show: rows of `billing.gas_spent`. `scope` is a condition on `t`, a transfer.
 */
export function gasSpent(scope: string): string {
  const isPayment = 't.authorizer is not null and t.to_address = t.pay_to';
  const sumOf = (code: string): string =>
    `coalesce(sum(t.value) filter (where ${isPayment} and ${codeSql('t.asset')} = '${code}'), 0)`;
  return `
    select t.network, t.transaction, t.sender as settler, (min(t.block_time) at time zone 'utc')::date as day,
      min(t.block_time) as block_time, min(t.transaction_fee) as fee, count(*) filter (where ${isPayment}) as payments,
      ${sumOf('USDC')} as usdc, ${sumOf('EURC')} as eurc
    from billing.chain_transfer t
    join billing.chain_cursor c on c.watch = t.watch and t.block_number <= c.finalized_number
    join billing.wallet w on w.network = t.network and w.address = t.sender and w.kind = 'settler'
      and w.since <= t.block_time
    where t.orphaned_at is null and t.transaction_fee > 0 and ${scope}
    group by t.network, t.transaction, t.sender`;
}
