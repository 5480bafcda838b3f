import type { Rail } from '@keyfare/core/metering';
import { type AssetCode, assetCodes, formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { type Part, partOf, type Table } from './table.js';

/** What one customer's calls of one product came to in a month. */
export const revenueRow = z.object({
  month: z.string(),
  rail: z.enum(['key', 'x402', 'free']),
  product: z.string(),
  /** The account, or the wallet of a caller without one; `anonymous` for free calls of callers who showed nothing. */
  customer: z.string(),
  customerName: z.string().nullable(),
  calls: z.string(),
  units: z.string(),
  included: z.string(),
  overage: z.string(),
  asset: z.enum(assetCodes),
  amount: z.string(),
});

type RevenueView = z.infer<typeof revenueRow>;

interface RevenueRow {
  readonly rail: Rail;
  readonly sku: string;
  readonly customer: string;
  readonly customer_name: string | null;
  readonly calls: string;
  readonly units: string;
  readonly included: string;
  readonly overage: string;
  readonly asset: AssetCode;
  readonly amount: string;
}

/** Revenue from calls, by rail, product and customer. The monthly prices of plans are on the invoices. */
export function revenueTable(period: Period): Table<RevenueRow, RevenueView> {
  const month = formatMonth(period);
  return {
    name: `revenue-${month}`,
    columns: Object.keys(revenueRow.shape) as (keyof RevenueView)[],
    amounts: ['amount'],
    statement: revenueStatement(period),
    part: (part) => revenueStatement(period, part),
    order: [
      { column: 'rail', kind: 'text' },
      { column: 'sku', kind: 'text' },
      { column: 'customer', kind: 'text' },
      // A wallet may be named like an account.
      { column: 'account', kind: 'text' },
      // A wallet may pay for one product in two assets.
      { column: 'asset', kind: 'text' },
    ],
    view: (row) => ({
      month,
      rail: row.rail,
      product: row.sku,
      customer: row.customer,
      customerName: row.customer_name,
      calls: row.calls,
      units: row.units,
      included: row.included,
      overage: row.overage,
      asset: row.asset,
      amount: formatMoney(money(row.asset, BigInt(row.amount))),
    }),
  };
}

function revenueStatement({ start }: Period, part?: Part): Statement {
  const { where, limit, values } = partOf(part, { keys: 'rail, sku, customer, account, asset', first: 2 });
  return {
    text: `
      with summed as (
        select rail, sku, customer, account, asset, sum(calls) as calls, sum(units) as units,
          sum(included) as included, sum(overage) as overage, sum(amount) as amount
        from billing.charge_day where period_start = $1 ${where}
        group by rail, sku, customer, account, asset ${limit})
      select s.rail, s.sku, s.customer, s.account, n.account_name as customer_name, s.calls::text, s.units::text,
        s.included::text, s.overage::text, s.asset, s.amount::text
      from summed s left join lateral (
        select account_name from billing.terms b where b.account = s.account
        order by revision desc, effective_at desc, place desc limit 1) n on true`,
    values: [start, ...values],
  };
}
