import { formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { type Part, partOf, type Table } from './table.js';

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
  const statement = (part?: Part): Statement => gasStatement(period, by, part);
  return {
    name: `gas-${by}-${formatMonth(period)}`,
    columns: Object.keys(gasRow.shape) as (keyof GasView)[],
    statement: statement(),
    part: statement,
    order: [
      { column: 'at_day', kind: 'day' },
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

function gasStatement({ start, end }: Period, by: 'day' | 'settlement', part?: Part): Statement {
  const ofMonth = `day >= ($1::timestamptz at time zone 'utc')::date and day < ($2::timestamptz at time zone 'utc')::date`;
  if (by === 'day') {
    return {
      text: `
        select day as at_day, day::text as day, network, settler, null::text as transaction, count(*)::text as transactions,
          sum(payments)::text as payments, sum(fee)::text as fee, sum(usdc)::text as usdc, sum(eurc)::text as eurc,
          '' as place
        from billing.gas_spent where ${ofMonth} group by at_day, network, settler`,
      values: [start, end],
    };
  }
  const { where, limit, values } = partOf(part, { keys: 'day, network, settler, transaction', first: 3 });
  return {
    text: `
      select day as at_day, day::text as day, network, settler, transaction, '1' as transactions, payments::text as payments,
        fee::text as fee, usdc::text as usdc, eurc::text as eurc, transaction as place
      from (select * from billing.gas_spent where ${ofMonth} ${where} ${limit}) as spent`,
    values: [start, end, ...values],
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
