import type { Hex } from '@keyfare/core/encoding';
import type { Sql, SqlPool } from '@keyfare/db/sql';
import type { ReplicaId } from '../replica-id.js';
import type {
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
  finalizeRefunds,
  type RefundRow,
  renumberRefunds,
  reopenRefunds,
  selectRefundNumbers,
  selectResumedRefunds,
  startRefunds,
} from './refund.sql.js';
import { refundNonce } from './refund-nonce.js';

interface NumberedRow {
  readonly entry_id: string;
  readonly wallet_nonce: string;
}

/** The steps of refunds that settlements take, under the ids of their entries. None waits to be collected. */
export class RefundLedger implements PaymentLedger {
  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
    private readonly settlerOf: (network: string) => Hex,
  ) {}

  async start(
    tx: Sql,
    submissions: readonly Submission[],
    { wallet, firstNonce, shares }: Numbering & { readonly shares: readonly number[] },
  ): Promise<readonly Numbered[]> {
    const ids = submissions.map(({ movement }) => movement.exchangeId);
    const blocks = submissions.map(({ movement }) => movement.unusedAtBlock.toString());
    const values = [ids, blocks, shares, this.replica.id, wallet, firstNonce];
    return numbered(await tx.query<NumberedRow>({ text: startRefunds, values }));
  }

  async renumber(tx: Sql, ids: readonly string[], { wallet, firstNonce }: Numbering): Promise<readonly Numbered[]> {
    return numbered(await tx.query<NumberedRow>({ text: renumberRefunds, values: [ids, wallet, firstNonce] }));
  }

  async numbers(tx: Sql, ids: readonly string[]): Promise<readonly Numbered[]> {
    return numbered(await tx.query<NumberedRow>({ text: selectRefundNumbers, values: [ids] }));
  }

  async finalize(ids: readonly string[]): Promise<readonly string[]> {
    const rows = await this.sql.query<{ entry_id: string }>({ text: finalizeRefunds, values: [ids] });
    return rows.map((row) => row.entry_id);
  }

  async reopen(network: string, wallet: string, fromNonce: number): Promise<readonly Resumed[]> {
    const values = [network, wallet, fromNonce, this.replica.id];
    return (await this.sql.query<RefundRow>({ text: reopenRefunds, values })).map((row) => this.#resumed(row));
  }

  async resume(ids: readonly string[]): Promise<readonly Resumed[]> {
    const rows = await this.sql.query<RefundRow>({ text: selectResumedRefunds, values: [ids] });
    return rows.map((row) => this.#resumed(row));
  }

  async waiting(): Promise<Waiting> {
    return { count: 0, amounts: [], oldest: null, validBefore: null };
  }

  async waitingByPayer(): Promise<readonly PayerWaiting[]> {
    return [];
  }

  async deferred(): Promise<readonly Movement[]> {
    return [];
  }

  /** What moves a refund whose authorization is signed. */
  movementOf(row: RefundRow): Movement {
    const { entry_id: id, network, asset, amount, signature, valid_before: validBefore, unused_at_block: block } = row;
    if (signature === null || validBefore === null || block === null) throw new Error(`refund ${id} is not signed`);
    return {
      exchangeId: id,
      network,
      asset,
      payer: this.settlerOf(network),
      payTo: row.payer,
      nonce: refundNonce(id),
      amount: BigInt(amount),
      validAfter: 0n,
      validBefore: BigInt(validBefore),
      signature: `0x${signature.toString('hex')}`,
      unusedAtBlock: BigInt(block),
    };
  }

  #resumed(row: RefundRow): Resumed {
    const { wallet, wallet_nonce: walletNonce, transaction, state } = row;
    if (wallet === null || walletNonce === null) throw new Error(`the refund of ${row.entry_id} has no nonce`);
    const moved = state === 'settled' ? (transaction as Hex | null) : null;
    return { movement: this.movementOf(row), wallet, walletNonce: Number(walletNonce), transaction: moved };
  }
}

function numbered(rows: readonly NumberedRow[]): readonly Numbered[] {
  return rows.map((row) => ({ exchangeId: row.entry_id, walletNonce: Number(row.wallet_nonce) }));
}
