import type { Address } from '@keyfare/core/x402';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { ReplicaId } from '../replica-id.js';
import type {
  DeferredQuestion,
  Movement,
  Numbered,
  Numbering,
  PayerWaiting,
  PaymentLedger,
  Resumed,
  Submission,
  Waiting,
} from '../settling.js';
import {
  finalizePayments,
  renumberPayments,
  reopenPayments,
  selectDeferred,
  selectNumbers,
  selectResumed,
  selectWaiting,
  selectWaitingByPayer,
  startPayments,
} from './ledger.sql.js';
import { holdOf, type PaymentRow } from './payment-row.js';

interface NumberedRow {
  readonly exchange_id: string;
  readonly wallet_nonce: string;
}

interface WaitingRow {
  readonly asset: Address;
  readonly count: number;
  readonly amount: string;
  readonly oldest: Date;
  readonly valid_before: string;
}

/** The steps of payments that settlements take: see `PaymentLedger`. */
@Injectable()
export class PaymentLedgerService implements PaymentLedger {
  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {}

  async start(
    tx: Sql,
    submissions: readonly Submission[],
    numbering: Numbering & { readonly shares: readonly number[] },
  ): Promise<readonly Numbered[]> {
    return numbered(
      await tx.query<NumberedRow>({
        name: 'keyfare_start_payments',
        text: startPayments,
        values: [
          submissions.map(({ movement }) => movement.exchangeId),
          submissions.map(({ call }) => (call === null ? null : JSON.stringify(call))),
          submissions.map(({ waitingUntil }) => waitingUntil),
          submissions.map(({ movement }) => movement.unusedAtBlock.toString()),
          this.replica.id,
          numbering.wallet,
          numbering.firstNonce,
          numbering.shares,
        ],
      }),
    );
  }

  async renumber(tx: Sql, exchangeIds: readonly string[], numbering: Numbering): Promise<readonly Numbered[]> {
    const values = [exchangeIds, numbering.wallet, numbering.firstNonce];
    return numbered(await tx.query<NumberedRow>({ text: renumberPayments, values }));
  }

  async numbers(tx: Sql, exchangeIds: readonly string[]): Promise<readonly Numbered[]> {
    return numbered(await tx.query<NumberedRow>({ text: selectNumbers, values: [exchangeIds] }));
  }

  async finalize(exchangeIds: readonly string[]): Promise<readonly string[]> {
    const rows = await this.sql.query<{ exchange_id: string }>({
      name: 'keyfare_finalize',
      text: finalizePayments,
      values: [exchangeIds],
    });
    return rows.map(({ exchange_id }) => exchange_id);
  }

  async reopen(network: string, wallet: string, fromNonce: number): Promise<readonly Resumed[]> {
    const values = [network, wallet, fromNonce, this.replica.id];
    return (await this.sql.query<PaymentRow>({ text: reopenPayments, values })).map(resumedOf);
  }

  async resume(exchangeIds: readonly string[]): Promise<readonly Resumed[]> {
    return (await this.sql.query<PaymentRow>({ text: selectResumed, values: [exchangeIds] })).map(resumedOf);
  }

  async waiting({ network, except }: DeferredQuestion): Promise<Waiting> {
    const rows = await this.sql.query<WaitingRow>({
      name: 'keyfare_waiting',
      text: selectWaiting,
      values: [network, except],
    });
    const byAge = rows.toSorted((a, b) => a.oldest.getTime() - b.oldest.getTime());
    const ends = rows.map(({ valid_before: validBefore }) => BigInt(validBefore));
    return {
      count: rows.reduce((sum, { count }) => sum + count, 0),
      amounts: rows.map(({ asset, amount }) => ({ asset, amount: BigInt(amount) })),
      oldest: byAge[0]?.oldest ?? null,
      validBefore: ends.length === 0 ? null : ends.reduce((first, end) => (end < first ? end : first)),
    };
  }

  async waitingByPayer({ network, except }: DeferredQuestion, limit: number): Promise<readonly PayerWaiting[]> {
    const rows = await this.sql.query<{ payer: Address; asset: Address; amount: string }>({
      name: 'keyfare_waiting_by_payer',
      text: selectWaitingByPayer,
      values: [network, except, limit],
    });
    return rows.map(({ payer, asset, amount }) => ({ payer, asset, amount: BigInt(amount) }));
  }

  async deferred({
    network,
    except,
    payers,
    limit,
  }: DeferredQuestion & { readonly payers?: readonly Address[]; readonly limit: number }): Promise<
    readonly Movement[]
  > {
    const rows = await this.sql.query<PaymentRow>({
      name: 'keyfare_deferred',
      text: selectDeferred,
      values: [network, except, payers ?? null, limit],
    });
    return rows.map(movementOf);
  }
}

function movementOf(row: PaymentRow): Movement {
  return holdOf(row);
}

function resumedOf(row: PaymentRow): Resumed {
  const { wallet, wallet_nonce: walletNonce, state, transaction } = row;
  if (wallet === null || walletNonce === null) throw new Error(`the payment of ${row.exchange_id} has no nonce`);
  const moved = state === 'settled' ? transaction : null;
  return { movement: movementOf(row), wallet, walletNonce: Number(walletNonce), transaction: moved };
}

function numbered(rows: readonly NumberedRow[]): readonly Numbered[] {
  return rows.map((row) => ({ exchangeId: row.exchange_id, walletNonce: Number(row.wallet_nonce) }));
}
