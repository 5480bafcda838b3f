import type { Problem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { AnswerService } from '../answer/answer.service.js';
import { GateConfig } from '../config.js';
import type { PaidCall, PaymentHold, PaymentOutcome } from '../payment/call.js';
import { PaymentService } from '../payment/payment.service.js';
import { withTimeout } from '../with-timeout.js';
import { attachReceipt } from './attach.js';
import type { Exchange, Leaving } from './exchange.js';
import { Holds } from './holds.js';
import { ExchangeReceipts, type PaidReceipt } from './receipts.js';

/** The last steps of a paid call: the answer is stored, the money is sure as its flow demands, the receipt is durable. */
@Injectable()
export class PaidPosts {
  constructor(
    private readonly config: GateConfig,
    private readonly payments: PaymentService,
    private readonly receipts: ExchangeReceipts,
    private readonly answers: AnswerService,
    private readonly holds: Holds,
  ) {}

  async post(call: Leaving, hold: PaymentHold): Promise<void> {
    const { exchange } = call;
    const { paid, isStored } = await this.#prepare(call, hold).catch(async (error: unknown) => {
      await this.holds.void(exchange, hold, 'not-posted');
      throw asProblem(error);
    });
    const receipt = await this.#finish(exchange, hold, paid);
    attachReceipt(call.reply, exchange, receipt);
    if (isStored) exchange.answerOf = exchange.id;
    else call.reply.header('answer-stored', 'false');
  }

  /** All that may fail while the money has not moved. */
  async #prepare(call: Leaving, hold: PaymentHold): Promise<{ paid: PaidCall; isStored: boolean }> {
    const paid = this.receipts.paidCall(call.exchange, hold, this.receipts.describe(call));
    return { paid, isStored: await this.#store(call) };
  }

  /** Whether the answer may be given again: one that is too large for it is served once. */
  #store({ exchange, reply, answer }: Leaving): Promise<boolean> {
    const headers = handlerHeaders(reply.getHeaders(), exchange.headersBefore);
    const { id: exchangeId, owners } = exchange;
    return this.answers.store({ exchangeId, owners, status: answer.status, headers, body: answer.sent });
  }

  #finish(exchange: Exchange, hold: PaymentHold, paid: PaidCall): Promise<PaidReceipt> {
    if (hold.flow === 'authorization') return this.#settle(hold, paid);
    const { upfront } = exchange;
    const work =
      upfront === undefined ? this.receipts.postDeferred(hold, paid) : this.receipts.postUpfront(hold, paid, upfront);
    return work.catch(async (error: unknown) => {
      await this.holds.void(exchange, hold, 'not-posted');
      throw asProblem(error);
    });
  }

  async #settle(hold: PaymentHold, paid: PaidCall): Promise<PaidReceipt> {
    const outcome = await this.payments.settle(hold, { call: paid });
    const later = (cause?: unknown): Problem => this.payments.postLater(hold.exchangeId, outcome, cause);
    const posting = this.receipts.postOutcome(hold, paid, outcome).catch((error: unknown) => {
      throw later(error);
    });
    // The outcome is known. A database that is away must not hold the caller: the same payment fetches the answer later.
    const receipt = await withTimeout(posting, this.config.settleTimeoutMs, later);
    if (outcome.kind === 'settled' && receipt !== null) return receipt;
    throw this.failed(hold, outcome);
  }

  /** The 402 of a payment that did not move, with offers for another one. */
  failed(hold: PaymentHold, outcome: PaymentOutcome): Problem {
    const failure = outcome.kind === 'failed' ? outcome : { transaction: outcome.transaction, reason: 'not-posted' };
    const { header, value } = this.receipts.failureResponse(hold, failure);
    const detail = `The settlement failed: ${failure.reason}.`;
    return this.payments.challenge(hold.offers, 'payment/failed', detail, { [header]: value });
  }
}

/** Headers of the connection, and those that are written anew with each answer. */
const ownHeaders = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'cache-control',
]);

type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

/** What the handler, and the plugins after it, put on the answer. */
function handlerHeaders(now: NodeJS.Dict<number | string | string[]>, before: typeof now = {}): HeaderValues {
  const added = Object.entries(now).filter(([name, value]) => !ownHeaders.has(name) && before[name] !== value);
  return Object.fromEntries(added.map(([name, value]) => [name, Array.isArray(value) ? value : String(value)]));
}
