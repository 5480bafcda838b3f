import { formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { isOfMonth } from '../billing-periods.js';
import { formatAtomic } from '../export/decimal.js';
import type { Table } from './table.js';

/** One invoice of a month, whatever its state. */
export const registerRow = z.object({
  month: z.string(),
  number: z.string().nullable(),
  state: z.string(),
  account: z.string(),
  accountName: z.string(),
  asset: z.literal('USD'),
  total: z.string(),
  payable: z.string(),
  updatedAt: z.iso.datetime(),
  id: z.string(),
});

interface RegisterRow {
  readonly id: string;
  readonly number: string | null;
  readonly state: string;
  readonly account: string;
  readonly account_name: string;
  readonly total: string;
  readonly payable_cents: string;
  readonly updated_at: Date;
}

/** The invoices of the periods that begin in a month, drafts among them. */
export function registerTable(period: Period): Table<RegisterRow, z.infer<typeof registerRow>> {
  const month = formatMonth(period);
  return {
    name: `invoices-${month}`,
    columns: Object.keys(registerRow.shape) as (keyof z.infer<typeof registerRow>)[],
    amounts: ['total', 'payable'],
    statement: {
      text: `
        select id, number, state, account, account_name, total::text, payable_cents::text, updated_at
        from billing.invoice i where ${isOfMonth('i', '$1')}`,
      values: [period.start],
    },
    order: [
      { column: 'account', kind: 'text' },
      { column: 'id', kind: 'text' },
    ],
    view: (row) => ({
      month,
      number: row.number,
      state: row.state,
      account: row.account,
      accountName: row.account_name,
      asset: 'USD',
      total: formatMoney(money('USD', BigInt(row.total))),
      payable: formatAtomic(BigInt(row.payable_cents), 2),
      updatedAt: row.updated_at.toISOString(),
      id: row.id,
    }),
  };
}
