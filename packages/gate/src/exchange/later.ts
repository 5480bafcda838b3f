import type { Hex } from '@keyfare/core/encoding';
import type { EntryKind, EntryPayloads } from '@keyfare/core/log';
import { unixSeconds } from '@keyfare/core/time';
import { GroupCommit } from '@keyfare/db/group-commit';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { GateMetrics } from '../metrics.js';
import type { PaymentHold, PaymentOutcome } from '../payment/call.js';
import { PaymentService } from '../payment/payment.service.js';
import { holdOf, type PaymentRow } from '../payment/payment-row.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import { newExchangeId } from './exchange.js';
import {
  endSilently,
  laterRows,
  postRefundsDue,
  postReversed,
  postSettlementAgain,
  postSettlements,
  postUncollected,
} from './later.sql.js';
import type { LaterPost } from './post-item.js';
import { ExchangeReceipts } from './receipts.js';

/** What was sold, for a refund of it. */
export interface Unserved {
  readonly sku: string;
  readonly method: string;
  readonly resourceUrl: string;
  /** A stable word. */
  readonly reason: string;
}

interface Entry {
  readonly kind: Exclude<EntryKind, 'call' | 'terms'>;
  readonly text: string;
  readonly transaction: Hex | null;
  readonly failure?: string | null;
  readonly dropped?: Hex;
}

/** Only of payments that were claimed before their rows kept what they are paid for. */
const unknownSku = 'unknown';

/**
 * What becomes of payments after, or without, the answer to their call: settlements of deferred ones, what cannot be
 * collected, refunds that are due, transactions that the chain dropped. Each is one statement that moves the payment's
 * state and appends the entry, and does both once whoever tries.
 */
@Injectable()
export class LaterEntries {
  readonly #logger = new Logger('Payment');
  readonly #underWay = new Set<Promise<void>>();
  readonly #groups: ReadonlyMap<string, GroupCommit<LaterPost, true>>;
  #closed = false;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly payments: PaymentService,
    private readonly receipts: ReceiptService,
    private readonly exchangeReceipts: ExchangeReceipts,
    private readonly metrics: GateMetrics,
  ) {
    const grouped = { keyfare_post_settlements: postSettlements, keyfare_post_uncollected: postUncollected };
    this.#groups = new Map(Object.entries(grouped).map(([name, text]) => [text, this.#groupOf(name, text)]));
  }

  /** Posts the end of a payment that no caller waits for. */
  async end(row: PaymentRow, outcome: PaymentOutcome): Promise<void> {
    const hold = holdOf(row);
    if (row.flow === 'deferred') return this.#endDeferred(hold, outcome);
    if (row.call !== null) {
      await this.exchangeReceipts.postOutcome(hold, row.call, outcome);
      return;
    }
    await this.settleSilently(hold, outcome);
    // Whoever waited for it has gone away, and its handler has not run.
    if (row.flow === 'upfront' && outcome.kind === 'settled') {
      await this.oweRefund({ ...row, transaction: outcome.transaction }, 'caller-gone');
    }
  }

  /** The end of a payment that has no call (yet): no entry. */
  async settleSilently(hold: PaymentHold, outcome: PaymentOutcome): Promise<void> {
    const failure = outcome.kind === 'failed' ? outcome.reason : null;
    await this.sql.query({
      name: `keyfare_end_${outcome.kind}`,
      text: endSilently(outcome.kind),
      values: [[hold.exchangeId], [outcome.transaction], [failure]],
    });
  }

  /**
   * A refund is due to the payer: the payment moved and nothing was served. Tried until it is recorded, or a sweep does
   * it.
   */
  async refundDue(hold: PaymentHold, transaction: Hex, unserved: Unserved): Promise<void> {
    const body = { ...this.#moved(hold, transaction), ...unserved };
    await this.#post(hold, { kind: 'refund-due', text: postRefundsDue, transaction }, { ...body, id: hold.exchangeId });
  }

  /** As `refundDue`, of a payment whose request is known no more but for what it asked for. */
  async oweRefund(row: PaymentRow, reason: string): Promise<void> {
    if (row.transaction === null) return;
    const resourceUrl = `${this.config.publicUrl}/`;
    await this.refundDue(holdOf(row), row.transaction, {
      sku: row.sku ?? unknownSku,
      method: 'GET',
      resourceUrl,
      reason,
    });
  }

  /**
   * The chain dropped the transaction that had moved a payment. Tried until it is written or the process ends: then the
   * payment is settled still, and a peer finds out anew.
   */
  async drop(exchangeId: string, dropped: Hex, outcome: PaymentOutcome): Promise<void> {
    const work = this.#drop(exchangeId, dropped, outcome);
    this.#underWay.add(work);
    await work;
    this.#underWay.delete(work);
  }

  limitDoubt(): void {
    this.#closed = true;
    for (const group of this.#groups.values()) group.limitDoubt();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#underWay, ...[...this.#groups.values()].map((group) => group.close())]);
  }

  #groupOf(name: string, text: string): GroupCommit<LaterPost, true> {
    return new GroupCommit({
      write: async (items) => {
        await this.sql.query({ name, text, values: laterRows.values(items) });
        return items.map(() => true as const);
      },
    });
  }

  async #drop(exchangeId: string, dropped: Hex, outcome: PaymentOutcome): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const row = await this.payments.find(exchangeId);
        if (row === undefined || row.transaction !== dropped) {
          // Its post may be under way still: then the row does not name the transaction yet.
          if (row?.state !== 'settling') return;
        } else {
          await this.#postDropped(holdOf(row), dropped, outcome);
          return;
        }
      } catch (error) {
        this.#logger.warn(error);
      }
      if (this.#closed) return;
      await new Promise((wake) => setTimeout(wake, pauseMs).unref());
    }
  }

  async #postDropped(hold: PaymentHold, dropped: Hex, outcome: PaymentOutcome): Promise<void> {
    const failure = outcome.kind === 'failed' ? outcome.reason : null;
    const transaction = outcome.kind === 'settled' ? outcome.transaction : null;
    const reason = failure ?? 'moved-by-another-transaction';
    const reversed = { ...this.#moved(hold, dropped), call: hold.exchangeId, reason };
    await this.#post(hold, { kind: 'reversed', text: postReversed, transaction, failure, dropped }, reversed);
    if (transaction !== null) await this.#appendSettlement(hold, transaction);
  }

  /** Another transaction moved the payment: it is named by a settlement of its own. */
  async #appendSettlement(hold: PaymentHold, transaction: Hex): Promise<void> {
    const text = postSettlementAgain;
    const body = { ...this.#moved(hold, transaction), call: hold.exchangeId };
    await this.#post(hold, { kind: 'settlement', text, transaction }, body);
  }

  async #endDeferred(hold: PaymentHold, outcome: PaymentOutcome): Promise<void> {
    const call = hold.exchangeId;
    if (outcome.kind === 'settled') {
      const { transaction } = outcome;
      const body = { ...this.#moved(hold, transaction), call };
      await this.#post(hold, { kind: 'settlement', text: postSettlements, transaction }, body);
      return;
    }
    const row = await this.payments.find(hold.exchangeId);
    if (row?.call === null || row === undefined) return;
    const { transaction: _none, ...moved } = this.#moved(hold, '0x');
    const { sku, method, resourceUrl } = row.call;
    const { transaction, reason } = outcome;
    const body = { ...moved, sku, method, resourceUrl, reason, call, ...(transaction === null ? {} : { transaction }) };
    await this.#post(hold, { kind: 'unpaid', text: postUncollected, transaction, failure: reason }, body);
    this.metrics.unpaid.inc();
  }

  /** What every entry on a movement says. */
  #moved(hold: PaymentHold, transaction: Hex) {
    const { network, payer, payTo, asset, nonce, amount } = hold;
    const issuedAt = this.config.clock();
    return {
      version: 1 as const,
      id: newExchangeId(issuedAt),
      network,
      payer,
      payTo,
      asset,
      nonce,
      amount: amount.toString(),
      transaction,
      issuedAt: unixSeconds(issuedAt),
    };
  }

  async #post<Kind extends Entry['kind']>(
    hold: PaymentHold,
    { kind, text, transaction, failure = null, dropped }: Entry & { readonly kind: Kind },
    payload: EntryPayloads[Kind] & { readonly id: string },
  ): Promise<void> {
    const issuedAt = this.config.clock();
    const signed = this.receipts.sign(kind, payload, issuedAt);
    const { exchangeId, payer } = hold;
    const rest = { exchangeId, payer, issuedAt, transaction, failure, dropped: dropped ?? null };
    const item = { ...signed, ...rest, id: payload.id };
    // Those of one batch end together, and there may be hundreds.
    const group = this.#groups.get(text);
    if (group === undefined) await this.sql.query({ text, values: laterRows.values([item]) });
    else await group.commit(item);
  }
}
