import { type TokenCode, tokenCodes } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import { z } from 'zod';
import { type PaymentJudgement, paymentParameters, payments } from '../reconcile/payment-status.sql.js';
import { decimal } from '../reconcile/report.js';
import { codeSql } from '../token.js';
import { momentSql, type Part, type Table } from './table.js';

/** One payment with what its entry and the chain say of it. */
export const settlementRow = z.object({
  status: z.enum([
    'matched',
    'awaiting-settlement',
    'awaiting-record',
    'amount-mismatch',
    'recorded-not-settled',
    'settled-not-recorded',
    'deferred',
    'deferred-overdue',
    'uncollectable',
    'reversed',
    'explained',
  ]),
  /** What brought the payment in: a call paid at once, a call on credit, or money that nothing was served for. */
  flow: z.enum(['settled', 'deferred', 'refund-due']).nullable(),
  entry: z.string().nullable(),
  /** The last entry that told how the payment went on. */
  toldBy: z.string().nullable(),
  product: z.string().nullable(),
  issuedAt: z.string().nullable(),
  network: z.string(),
  token: z.string(),
  payer: z.string(),
  nonce: z.string(),
  /** What the entry says. */
  recorded: z.string().nullable(),
  /** What the chain moved. */
  settled: z.string().nullable(),
  /** The transaction that settled it; the one that the entry names when the chain shows none. */
  transaction: z.string().nullable(),
  /** How many payments to us that transaction moved. */
  payments: z.string().nullable(),
  /** This payment's part of what the transaction cost, in wei: the parts of a transaction add up to its cost. */
  gasShare: z.string().nullable(),
  block: z.string().nullable(),
  blockTime: z.string().nullable(),
  finality: z.enum(['provisional', 'final']).nullable(),
  /** What both amounts are counted in. */
  asset: z.enum(tokenCodes),
});

type SettlementView = z.infer<typeof settlementRow>;

interface SettlementRow {
  readonly status: SettlementView['status'];
  readonly outcome: SettlementView['flow'];
  readonly entry_id: string | null;
  readonly told_by: string | null;
  readonly sku: string | null;
  readonly issued_at: Date | null;
  readonly network: string;
  readonly asset: string;
  readonly code: TokenCode;
  readonly payer: string;
  readonly nonce: string;
  readonly recorded_amount: string | null;
  readonly settled_amount: string | null;
  readonly recorded_transaction: string | null;
  readonly settled_transaction: string | null;
  readonly payments: string | null;
  readonly gas_share: string | null;
  readonly block_number: string | null;
  readonly block_time: Date | null;
  readonly finality: SettlementView['finality'];
}

const bringsIn = `outcome in ('settled', 'deferred', 'refund-due')`;
const isPayment = 'orphaned_at is null and authorizer is not null and to_address = pay_to';

// The payments that an entry of a time brought in, or a block of it shows: the other side may be of another month.
const keysUpTo = (end: string): string => `
  select network, asset, payer, nonce from billing.payment
  where ${bringsIn} and issued_at >= $1 and issued_at <= ${end}
  union
  select network, asset, authorizer, nonce from billing.chain_transfer
  where ${isPayment} and block_time >= $1 and block_time <= ${end}`;

/**
 * SQL for the moment up to which there are enough payments for a part that begins at $1, after the row of the
 * parameters from `first` on if there is one. It is the moment of the last that the part needs of those which an entry
 * brought in or, if that comes first, of those which only the chain knows; else the end of the month.
 */
function endOfPart({ after, limit }: Part, first: number): string {
  const past = (...key: readonly string[]): string =>
    after === null
      ? ''
      : `and (${key.join(', ')}) > (${momentSql(`$${first}`)}, ${[1, 2, 3, 4].map((n) => `$${first + n}`).join(', ')})`;
  const nth = (rows: string): string => `(
    select case when count(*) = ${limit} then max(at) end from (${rows} order by at limit ${limit}) as needed)`;
  return `
    with recorded as materialized (
      select coalesce(${nth(`
        select b.issued_at as at from billing.payment b
        where ${bringsIn} and issued_at >= $1 and issued_at < $2
          ${past('b.issued_at', 'b.network', 'b.asset', 'b.payer', 'b.nonce')}
          and not exists (
            select 1 from billing.payment e
            where (e.network, e.asset, e.payer, e.nonce) = (b.network, b.asset, b.payer, b.nonce) and e.${bringsIn}
              and e.place < b.place)`)}, $2::timestamptz) as upto)
    select coalesce(${nth(`
      select t.block_time as at from billing.chain_transfer t
      where ${isPayment} and block_time >= $1 and block_time <= (select upto from recorded)
        ${past('t.block_time', 't.network', 't.asset', 't.authorizer', 't.nonce')}
        and not exists (
          select 1 from billing.payment e
          where (e.network, e.asset, e.payer, e.nonce) = (t.network, t.asset, t.authorizer, t.nonce)
            and e.${bringsIn})`)}, (select upto from recorded))`;
}

/** The payments of a month: by the time of their receipt, or of their block where there is none. */
export function settlementsTable(period: Period, judgement: PaymentJudgement): Table<SettlementRow, SettlementView> {
  const parameters = paymentParameters(judgement);
  return {
    name: `settlements-${formatMonth(period)}`,
    columns: Object.keys(settlementRow.shape) as (keyof SettlementView)[],
    statement: {
      text: settlementsText(keysUpTo('$2')),
      values: [period.start, period.end, ...parameters],
    },
    part: (part) => {
      const atMs = Math.floor(Number(part.after?.[0] ?? 0) / 1_000);
      const start = Math.min(Math.max(atMs, period.start.getTime()), period.end.getTime());
      return {
        text: settlementsText(keysUpTo(`(${endOfPart(part, 7)})`)),
        values: [new Date(start), period.end, ...parameters, ...(part.after ?? [])],
      };
    },
    order: [
      { column: 'at', kind: 'time' },
      { column: 'network', kind: 'text' },
      { column: 'asset', kind: 'text' },
      { column: 'payer', kind: 'text' },
      { column: 'nonce', kind: 'text' },
    ],
    view: (row) => ({
      status: row.status,
      flow: row.outcome,
      entry: row.entry_id,
      toldBy: row.told_by,
      product: row.sku,
      issuedAt: row.issued_at?.toISOString() ?? null,
      network: row.network,
      token: row.asset,
      payer: row.payer,
      nonce: row.nonce,
      recorded: decimal(row.code, row.recorded_amount),
      settled: decimal(row.code, row.settled_amount),
      transaction: row.settled_transaction ?? row.recorded_transaction,
      payments: row.payments,
      gasShare: row.gas_share,
      block: row.block_number,
      blockTime: row.block_time?.toISOString() ?? null,
      finality: row.finality,
      asset: row.code,
    }),
  };
}

function settlementsText(keys: string): string {
  return `with ${payments(3, keys)},
    bulk as (
      select id, count(*) over batch as payments, row_number() over (batch order by log_index, id) as nth,
        transaction_fee as fee
      from billing.chain_transfer
      where ${isPayment} and transaction in (select settled_transaction from payments)
      window batch as (partition by network, transaction))
    select status, outcome, entry_id, told_by, sku, issued_at, network, asset, ${codeSql('asset')} as code, payer, nonce,
      recorded_amount,
      settled_amount, recorded_transaction, settled_transaction, b.payments::text,
      (div(b.fee, b.payments) + case when b.nth <= mod(b.fee, b.payments) then 1 else 0 end)::text as gas_share,
      block_number, block_time, finality, coalesce(issued_at, block_time) as at
    from payments p left join bulk b on b.id = p.transfer_id
    where coalesce(issued_at, block_time) >= $1 and coalesce(issued_at, block_time) < $2`;
}
