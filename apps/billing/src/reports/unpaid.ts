import { formatMoney, money, type TokenCode, tokenCodes } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { codeSql } from '../token.js';
import type { Table } from './table.js';

/**
 * One call that was served and not paid for. Without `call` it earned nothing; a call on credit that was given up
 * earned its price, and lost it to `uncollected`.
 */
export const unpaidRow = z.object({
  entry: z.string(),
  /** The entry of the call on credit that this one gives up. */
  call: z.string().nullable(),
  issuedAt: z.string(),
  product: z.string(),
  resource: z.string(),
  network: z.string(),
  token: z.string(),
  payer: z.string(),
  nonce: z.string(),
  /** What it would have cost. */
  amount: z.string(),
  reason: z.string(),
  transaction: z.string().nullable(),
  /** What the amount is counted in. */
  asset: z.enum(tokenCodes),
});

type UnpaidView = z.infer<typeof unpaidRow>;

interface UnpaidRow {
  readonly entry_id: string;
  readonly call_id: string | null;
  readonly issued_at: Date;
  readonly sku: string;
  readonly resource_url: string;
  readonly network: string;
  readonly asset: string;
  readonly code: TokenCode;
  readonly payer: string;
  readonly nonce: string;
  readonly amount: string;
  readonly reason: string;
  readonly transaction: string | null;
}

/** The calls of a month that were given away. */
export function unpaidTable(period: Period): Table<UnpaidRow, UnpaidView> {
  return {
    name: `unpaid-${formatMonth(period)}`,
    columns: Object.keys(unpaidRow.shape) as (keyof UnpaidView)[],
    statement: {
      text: `
        select entry_id, call_id, issued_at, sku, resource_url, network, asset, ${codeSql('asset')} as code, payer, nonce, amount, coalesce(reason, '') as reason,
          transaction
        from billing.payment where outcome = 'unpaid' and issued_at >= $1 and issued_at < $2`,
      values: [period.start, period.end],
    },
    order: [
      { column: 'issued_at', kind: 'time' },
      { column: 'entry_id', kind: 'text' },
    ],
    view: (row) => ({
      entry: row.entry_id,
      call: row.call_id,
      issuedAt: row.issued_at.toISOString(),
      product: row.sku,
      resource: row.resource_url,
      network: row.network,
      token: row.asset,
      payer: row.payer,
      nonce: row.nonce,
      amount: formatMoney(money(row.code, BigInt(row.amount))),
      reason: row.reason,
      transaction: row.transaction,
      asset: row.code,
    }),
  };
}
