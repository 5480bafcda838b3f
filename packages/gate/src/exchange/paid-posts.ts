import type { Problem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { AnswerService } from '../answer/answer.service.js';
import type { NewAnswer } from '../answer/stored-answer.js';
import { GateConfig } from '../config.js';
import type { PaidCall, PaymentHold, PaymentOutcome } from '../payment/call.js';
import { PaymentService } from '../payment/payment.service.js';
import { withTimeout } from '../with-timeout.js';
import { attachReceipt } from './attach.js';
import type { Exchange, Leaving } from './exchange.js';
import { Holds } from './holds.js';
import { ExchangeReceipts, type PaidReceipt } from './receipts.js';

/**
 * The last steps of a paid call: the answer is stored, the money is sure as its flow demands, the receipt is durable.
 */
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
    const answer = this.#answerOf(call);
    const served = await this.#serve(call, hold, answer).catch(async (error: unknown) => {
      await this.holds.void(exchange, hold, 'not-posted');
      throw asProblem(error);
    });
    const receipt = 'jws' in served ? served : await this.#settle(exchange, hold, served);
    attachReceipt(call.reply, exchange, receipt);
    if (answer === null) call.reply.header('answer-stored', 'false');
    else exchange.answerOf = exchange.id;
  }

  /**
   * All that may fail while the hold can be given up: of a call that is settled last, until its answer is stored; of
   * the others until they are posted, answer and all.
   */
  async #serve(call: Leaving, hold: PaymentHold, answer: NewAnswer | null): Promise<PaidCall | PaidReceipt> {
    const { exchange } = call;
    const paid = this.receipts.paidCall(exchange, hold, this.receipts.describe(call));
    if (exchange.upfront !== undefined) {
      return this.receipts.postUpfront(hold, { call: paid, answer }, exchange.upfront);
    }
    if (hold.flow === 'deferred') return this.receipts.postDeferred(hold, { call: paid, answer });
    if (answer !== null) await this.answers.store(answer);
    return paid;
  }

  /** The answer as it may be given again; null for one that is too large for it, which is served once. */
  #answerOf({ exchange, reply, answer }: Leaving): NewAnswer | null {
    const headers = handlerHeaders(reply.getHeaders(), exchange.headersBefore);
    const { id: exchangeId, owners } = exchange;
    return this.answers.prepare({ exchangeId, owners, status: answer.status, headers, body: answer.sent });
  }

  async #settle(exchange: Exchange, hold: PaymentHold, paid: PaidCall): Promise<PaidReceipt> {
    const outcome = await this.payments.settle(hold, { call: paid });
    exchange.enter('post');
    const later = (cause?: unknown): Problem => this.payments.postLater(hold.exchangeId, outcome, cause);
    const posting = this.receipts.postOutcome(hold, paid, outcome).catch((error: unknown) => {
      throw later(error);
    });
    // The outcome is known. A database that is away must not hold the caller: the same payment fetches the answer
    // later.
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
