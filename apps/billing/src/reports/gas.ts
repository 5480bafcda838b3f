import { formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { codeSql } from '../token.js';
import type { Table } from './table.js';

/** What a transaction of a settler of ours cost, or what those of a day did, and what they brought in. */
export const gasRow = z.object({
  day: z.string(),
  network: z.string(),
  settler: z.string(),
  /** Null in a row of a day. */
  transaction: z.string().nullable(),
  transactions: z.string(),
  /** Payments to us that they moved. */
  payments: z.string(),
  /** A decimal of ETH. */
  gas: z.string(),
  usdc: z.string(),
  eurc: z.string(),
  /** What the gas comes to in dollars, and as parts of a hundred of the USDC: null without `ethUsd` or USDC. */
  gasUsd: z.string().nullable(),
  gasPercent: z.string().nullable(),
});

type GasView = z.infer<typeof gasRow>;

interface GasRow {
  readonly day: string;
  readonly network: string;
  readonly settler: string;
  readonly transaction: string | null;
  readonly transactions: string;
  readonly payments: string;
  readonly fee: string;
  readonly usdc: string;
  readonly eurc: string;
}

const weiPerEth = 10n ** 18n;

/**
 * The gas of a month, by transaction or by day (UTC): of final blocks, with what the payments of those transactions
 * came to. `ethUsd`: what one ETH is worth, in micro-dollars.
 */
export function gasTable(
  period: Period,
  { by, ethUsd }: { readonly by: 'day' | 'settlement'; readonly ethUsd: bigint | null },
): Table<GasRow, GasView> {
  const transaction = by === 'day' ? 'null::text' : 's.transaction';
  return {
    name: `gas-${by}-${formatMonth(period)}`,
    columns: Object.keys(gasRow.shape) as (keyof GasView)[],
    statement: {
      text: `
        with settlements as (
          select t.network, t.transaction, t.sender as settler, (min(t.block_time) at time zone 'utc')::date::text as day,
            min(t.transaction_fee) as fee,
            count(*) filter (where t.authorizer is not null and t.to_address = t.pay_to) as payments,
            coalesce(sum(t.value) filter (
              where t.authorizer is not null and t.to_address = t.pay_to and ${codeSql('t.asset')} = 'USDC'), 0) as usdc,
            coalesce(sum(t.value) filter (
              where t.authorizer is not null and t.to_address = t.pay_to and ${codeSql('t.asset')} = 'EURC'), 0) as eurc
          from billing.chain_transfer t
          join billing.chain_cursor c on c.watch = t.watch and t.block_number <= c.finalized_number
          join billing.wallet w on w.network = t.network and w.address = t.sender and w.kind = 'settler'
            and w.since <= t.block_time
          where t.orphaned_at is null and t.transaction_fee > 0 and t.block_time >= $1 and t.block_time < $2
          group by t.network, t.transaction, t.sender)
        select s.day, s.network, s.settler, ${transaction} as transaction, count(*)::text as transactions,
          sum(s.payments)::text as payments, sum(s.fee)::text as fee, sum(s.usdc)::text as usdc, sum(s.eurc)::text as eurc,
          coalesce(${transaction}, '') as place
        from settlements s group by s.day, s.network, s.settler${by === 'day' ? '' : ', s.transaction'}`,
      values: [period.start, period.end],
    },
    order: [
      { column: 'day', kind: 'text' },
      { column: 'network', kind: 'text' },
      { column: 'settler', kind: 'text' },
      { column: 'place', kind: 'text' },
    ],
    view: ({ fee, usdc, eurc, ...row }) => {
      const micros = ethUsd === null ? null : roundedUp(BigInt(fee) * ethUsd, weiPerEth);
      return {
        day: row.day,
        network: row.network,
        settler: row.settler,
        transaction: row.transaction,
        transactions: row.transactions,
        payments: row.payments,
        gas: formatMoney(money('ETH', BigInt(fee))),
        usdc: formatMoney(money('USDC', BigInt(usdc))),
        eurc: formatMoney(money('EURC', BigInt(eurc))),
        gasUsd: micros === null ? null : formatMoney(money('USD', micros)),
        gasPercent: micros === null || BigInt(usdc) === 0n ? null : percentOf(micros, BigInt(usdc)),
      };
    },
  };
}

/** With two decimals, rounded up: gas is never shown as less than it is. */
function percentOf(part: bigint, whole: bigint): string {
  const hundredths = roundedUp(part * 10_000n, whole)
    .toString()
    .padStart(3, '0');
  return `${hundredths.slice(0, -2)}.${hundredths.slice(-2)}`;
}

function roundedUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
