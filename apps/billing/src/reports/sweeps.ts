import { formatMoney, money, type TokenCode, tokenCodes } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { codeSql } from '../token.js';
import type { Table } from './table.js';

/** Tokens that one wallet of ours sent to another: the two readings of one transfer. */
export const sweepRow = z.object({
  /** `in-transit` while only one of the two wallets has been read so far. */
  state: z.enum(['in-transit', 'provisional', 'final']),
  at: z.string(),
  network: z.string(),
  from: z.string(),
  to: z.string(),
  amount: z.string(),
  /** What the amount is counted in. */
  asset: z.enum(tokenCodes),
  transaction: z.string(),
  block: z.string(),
});

type SweepView = z.infer<typeof sweepRow>;

interface SweepRow {
  readonly state: SweepView['state'];
  readonly at: Date;
  readonly network: string;
  readonly from_address: string;
  readonly to_address: string;
  readonly value: string;
  readonly code: TokenCode;
  readonly transaction: string;
  readonly block_number: string;
}

const isOurs = (address: string): string => `exists (
  select 1 from billing.wallet w where w.network = t.network and w.address = ${address}
    and w.kind in ('till', 'treasury', 'settler') and w.since <= t.block_time)`;

/** What moved between two wallets of ours in a month. The two readings have the block and the place in it in common. */
export function sweepsTable(period: Period): Table<SweepRow, SweepView> {
  return {
    name: `sweeps-${formatMonth(period)}`,
    columns: Object.keys(sweepRow.shape) as (keyof SweepView)[],
    statement: {
      text: `
        select case when count(*) < 2 then 'in-transit' when bool_and(t.block_number <= c.finalized_number) then 'final'
            else 'provisional' end as state,
          min(t.block_time) as at, t.network, min(t.from_address) as from_address, min(t.to_address) as to_address,
          min(t.value)::text as value, min(${codeSql('t.asset')}) as code, min(t.transaction) as transaction,
          t.block_number::text as block_number, t.block_hash || '/' || t.log_index as place
        from billing.chain_transfer t join billing.chain_cursor c on c.watch = t.watch
        where t.orphaned_at is null and t.block_time >= $1 and t.block_time < $2 and t.value > 0
          and t.from_address <> t.to_address and ${isOurs('t.from_address')} and ${isOurs('t.to_address')}
        group by t.network, t.block_hash, t.log_index, t.block_number`,
      values: [period.start, period.end],
    },
    order: [
      { column: 'at', kind: 'time' },
      { column: 'place', kind: 'text' },
    ],
    view: (row) => ({
      state: row.state,
      at: row.at.toISOString(),
      network: row.network,
      from: row.from_address,
      to: row.to_address,
      amount: formatMoney(money(row.code, BigInt(row.value))),
      asset: row.code,
      transaction: row.transaction,
      block: row.block_number,
    }),
  };
}
