import { Problem } from '@keyfare/core/problem';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { ListPool } from './list-pool.js';
import type { PaymentState } from './payment/call.js';

/** One transaction that was sent to move a payment; a later one of the same wallet and nonce replaces it. */
interface SettlementAttempt {
  readonly transaction: string;
  readonly wallet: string;
  readonly walletNonce: string;
  /** Wei. */
  readonly maxFeePerGas: string;
  readonly createdAt: string;
}

/** A payment as operators see it. */
export interface PaymentSummary {
  /** The id of its exchange, receipt and entry. */
  readonly id: string;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly payTo: string;
  /** In the asset's smallest unit. */
  readonly amount: string;
  readonly flow: string;
  readonly state: PaymentState;
  readonly accountId: string | null;
  readonly claimedAt: Date;
  readonly servedAt: Date | null;
  readonly refundDueAt: Date | null;
  /** Why it did not move. */
  readonly failure: string | null;
  /** The transaction that moved it. */
  readonly transaction: string | null;
  readonly attempts: readonly SettlementAttempt[];
  /** How many payments the same transaction moves, this one among them; 0 where none was sent. */
  readonly batchSize: number;
}

export interface PaymentQuery {
  /** Lower-case address. */
  readonly payer?: string | undefined;
  readonly state?: PaymentState | undefined;
  /** One that a settler of ours sent for it, also one that was replaced. */
  readonly transaction?: string | undefined;
  readonly account?: string | undefined;
  /** Claimed at or after, and before. */
  readonly from: Date;
  readonly to: Date;
  /** Before this id, in the order of claims. */
  readonly after: string | null;
  readonly limit: number;
}

interface PaymentHistoryRow {
  readonly exchange_id: string;
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
  readonly pay_to: string;
  readonly amount: string;
  readonly flow: string;
  readonly state: PaymentState;
  readonly account_id: string | null;
  readonly claimed_at: Date;
  readonly served_at: Date | null;
  readonly refund_due_at: Date | null;
  readonly failure: string | null;
  readonly transaction: string | null;
  readonly attempts: readonly SettlementAttempt[];
  readonly batch_size: number;
}

const select = `
  select p.exchange_id, p.network, p.asset, p.payer, p.nonce, p.pay_to, p.amount, p.flow, p.state, p.account_id,
    p.claimed_at, p.served_at, p.refund_due_at, p.failure, p.transaction,
    (select coalesce(json_agg(json_build_object('transaction', s.transaction, 'wallet', s.wallet,
        'walletNonce', s.wallet_nonce::text, 'maxFeePerGas', s.max_fee_per_gas::text, 'createdAt', s.created_at)
        order by s.created_at, s.transaction), '[]')
     from keyfare.settlement s
     where s.network = p.network and s.wallet = p.wallet and s.wallet_nonce = p.wallet_nonce) as attempts,
    (select count(*)::int from keyfare.payment b
     where b.network = p.network and b.wallet = p.wallet and b.wallet_nonce = p.wallet_nonce) as batch_size
  from keyfare.payment p`;

// By the wallet and nonce of the transaction, which an index has.
const sentBy = `and (p.network, p.wallet, p.wallet_nonce) = (
            select s.network, s.wallet, s.wallet_nonce from keyfare.settlement s where s.transaction = $8)`;

/** What became of each payment, for operators. */
@Injectable()
export class PaymentHistory {
  constructor(
    private readonly sql: SqlPool,
    private readonly lists: ListPool,
  ) {}

  /** 404 `payment/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<PaymentSummary> {
    const [row] = await sql.query<PaymentHistoryRow>({ text: `${select} where p.exchange_id = $1`, values: [id] });
    if (row === undefined) throw new Problem('payment/not-found');
    return summaryOf(row);
  }

  /**
   * The newest first, in one statement; one more than `limit`, where there are so many. Ids are UUIDv7, so their index
   * is the order of time, and a window of time is a range of it.
   */
  async list({
    payer,
    state,
    transaction,
    account,
    from,
    to,
    after,
    limit,
  }: PaymentQuery): Promise<readonly PaymentSummary[]> {
    const rows = await this.lists.query<PaymentHistoryRow>({
      text: `${select}
        where p.exchange_id >= keyfare.least_id($1::timestamptz) and p.exchange_id < keyfare.least_id($2::timestamptz)
          and ($3::uuid is null or p.exchange_id < $3) and ($4::text is null or p.payer = $4)
          and ($5::text is null or p.state = $5) and ($6::text is null or p.account_id = $6)
          ${transaction === undefined ? '' : sentBy}
        order by p.exchange_id desc limit $7`,
      values: [
        from,
        to,
        after,
        payer ?? null,
        state ?? null,
        account ?? null,
        limit + 1,
        ...(transaction === undefined ? [] : [transaction]),
      ],
    });
    return rows.map(summaryOf);
  }
}

function summaryOf(row: PaymentHistoryRow): PaymentSummary {
  const { network, asset, payer, nonce, amount, flow, state, failure, transaction, attempts } = row;
  return {
    id: row.exchange_id,
    network,
    asset,
    payer,
    nonce,
    payTo: row.pay_to,
    amount,
    flow,
    state,
    accountId: row.account_id,
    claimedAt: row.claimed_at,
    servedAt: row.served_at,
    refundDueAt: row.refund_due_at,
    failure,
    transaction,
    attempts,
    batchSize: row.batch_size,
  };
}
