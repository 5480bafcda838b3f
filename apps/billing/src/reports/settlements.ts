import { formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { type PaymentJudgement, paymentParameters, payments } from '../reconcile/payment-status.sql.js';
import type { Table } from './table.js';

/** One payment with what its entry and the chain say of it. */
export const settlementRow = z.object({
  status: z.enum([
    'matched',
    'awaiting-settlement',
    'awaiting-record',
    'amount-mismatch',
    'recorded-not-settled',
    'settled-not-recorded',
  ]),
  entry: z.string().nullable(),
  product: z.string().nullable(),
  issuedAt: z.string().nullable(),
  network: z.string(),
  token: z.string(),
  payer: z.string(),
  nonce: z.string(),
  /** What the entry says, in USDC. */
  recorded: z.string().nullable(),
  /** What the chain moved, in USDC. */
  settled: z.string().nullable(),
  /** The transaction that settled it; the one that the entry names when the chain shows none. */
  transaction: z.string().nullable(),
  block: z.string().nullable(),
  blockTime: z.string().nullable(),
  finality: z.enum(['provisional', 'final']).nullable(),
});

type SettlementView = z.infer<typeof settlementRow>;

interface SettlementRow {
  readonly status: SettlementView['status'];
  readonly entry_id: string | null;
  readonly sku: string | null;
  readonly issued_at: Date | null;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly recorded_amount: string | null;
  readonly settled_amount: string | null;
  readonly recorded_transaction: string | null;
  readonly settled_transaction: string | null;
  readonly block_number: string | null;
  readonly block_time: Date | null;
  readonly finality: SettlementView['finality'];
}

/** The payments of a month: by the time of their receipt, or of their block where there is none. */
export function settlementsTable(period: Period, judgement: PaymentJudgement): Table<SettlementRow, SettlementView> {
  return {
    name: `settlements-${formatMonth(period)}`,
    columns: Object.keys(settlementRow.shape) as (keyof SettlementView)[],
    statement: {
      text: `with ${payments(3)}
        select status, entry_id, sku, issued_at, network, asset, payer, nonce, recorded_amount, settled_amount,
          recorded_transaction, settled_transaction, block_number, block_time, finality
        from payments where coalesce(issued_at, block_time) >= $1 and coalesce(issued_at, block_time) < $2
        order by coalesce(issued_at, block_time), network, asset, payer, nonce`,
      values: [period.start, period.end, ...paymentParameters(judgement)],
    },
    view: (row) => ({
      status: row.status,
      entry: row.entry_id,
      product: row.sku,
      issuedAt: row.issued_at?.toISOString() ?? null,
      network: row.network,
      token: row.asset,
      payer: row.payer,
      nonce: row.nonce,
      recorded: usdc(row.recorded_amount),
      settled: usdc(row.settled_amount),
      transaction: row.settled_transaction ?? row.recorded_transaction,
      block: row.block_number,
      blockTime: row.block_time?.toISOString() ?? null,
      finality: row.finality,
    }),
  };
}

function usdc(atomic: string | null): string | null {
  return atomic === null ? null : formatMoney(money('USDC', BigInt(atomic)));
}
