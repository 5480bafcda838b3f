import { formatMoney, money, type TokenCode, tokenCodes } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { codeSql } from '../token.js';
import type { Table } from './table.js';

/** Money that came in for a call that was not served: no revenue, and a debt to its payer. */
export const refundRow = z.object({
  /**
   * `reversed` when the chain dropped the payment: then nothing is owed. `refunded` when it was paid
   * back, `credited` when it became a customer's credit.
   */
  state: z.enum(['owed', 'reversed', 'refunded', 'credited']),
  entry: z.string(),
  issuedAt: z.string(),
  product: z.string(),
  resource: z.string(),
  network: z.string(),
  token: z.string(),
  payer: z.string(),
  nonce: z.string(),
  amount: z.string(),
  reason: z.string(),
  transaction: z.string(),
  /** What the amount is counted in. */
  asset: z.enum(tokenCodes),
  /** The transaction that paid it back. */
  refundTransaction: z.string().nullable(),
});

type RefundView = z.infer<typeof refundRow>;

interface RefundRow {
  readonly state: RefundView['state'];
  readonly entry_id: string;
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
  readonly transaction: string;
  readonly refund_transaction: string | null;
}

/** What came in for nothing in a month. */
export function refundsTable(period: Period): Table<RefundRow, RefundView> {
  return {
    name: `refunds-${formatMonth(period)}`,
    columns: Object.keys(refundRow.shape) as (keyof RefundView)[],
    statement: {
      text: `
        select case when l.outcome = 'reversed' then 'reversed' when r.transaction is not null then 'refunded'
            when exists (select 1 from billing.customer_credit c where c.entry_id = p.entry_id) then 'credited' else 'owed' end
            as state, p.entry_id, p.issued_at, p.sku,
          p.resource_url, p.network, p.asset, ${codeSql('p.asset')} as code, p.payer, p.nonce, p.amount, p.reason,
          coalesce(l.transaction, p.transaction) as transaction, r.transaction as refund_transaction
        from billing.payment p
        left join lateral (
          select outcome, transaction from billing.payment l where l.call_id = p.entry_id order by l.place desc limit 1) l on true
        left join lateral (
          select t.transaction from billing.match m join billing.chain_transfer t on t.id = m.transfer_id
          where m.entry_id = p.entry_id and m.rule = 'refund' and m.state <> 'undone' limit 1) r on true
        where p.outcome = 'refund-due' and p.issued_at >= $1 and p.issued_at < $2`,
      values: [period.start, period.end],
    },
    order: [
      { column: 'issued_at', kind: 'time' },
      { column: 'entry_id', kind: 'text' },
    ],
    view: (row) => ({
      state: row.state,
      entry: row.entry_id,
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
      refundTransaction: row.refund_transaction,
    }),
  };
}
