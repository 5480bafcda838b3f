import { Problem } from '@keyfare/core/problem';
import { errorCode } from '@keyfare/db/sql';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { GateConfig } from '../config.js';
import type { KeyHold } from '../meter/hold.js';
import { MeterService } from '../meter/meter.service.js';
import type { PaymentHold } from '../payment/call.js';
import { PaymentService, type Replay } from '../payment/payment.service.js';
import { fencedState } from '../replica-id.js';
import { TermsService } from '../terms/terms.service.js';
import { withTimeout } from '../with-timeout.js';
import { type SerializedBody, serializeBody } from './body.js';
import { type Exchange, exchangeOf } from './exchange.js';
import { Holds } from './holds.js';
import { Offers } from './offers.js';
import { ExchangeReceipts, type ServedCall } from './receipts.js';

/**
 * The way out of a priced call: settle, post, and only then let the response go. On any error, on any answer of 400 or
 * more, and when the handler takes too long, the hold is voided: what was not delivered is not charged. Pipes run inside `next.handle()`, so a body
 * that fails validation lands there too.
 */
@Injectable()
export class SettlementInterceptor implements NestInterceptor {
  constructor(
    private readonly config: GateConfig,
    private readonly terms: TermsService,
    private readonly meter: MeterService,
    private readonly payments: PaymentService,
    private readonly offers: Offers,
    private readonly receipts: ExchangeReceipts,
    private readonly holds: Holds,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const exchange = exchangeOf(request);
    if (exchange.hold === undefined) return next.handle();
    this.holds.take(exchange);
    const reply = http.getResponse<FastifyReply>();
    if (exchange.hold.rail === 'replay') return from(this.#replay(exchange, exchange.hold, reply));
    return from(this.#serve({ exchange, hold: exchange.hold, request, reply }, next));
  }

  async #serve(call: Call, next: CallHandler): Promise<unknown> {
    const { hold, reply } = call;
    let value: unknown;
    let body: SerializedBody;
    try {
      const result = lastValueFrom(next.handle(), { defaultValue: undefined });
      value = await withTimeout(result, this.config.handlerTimeoutMs, () => new Problem('service/timeout'));
      if (reply.statusCode >= 400) {
        this.#void(hold);
        return value;
      }
      body = serializeBody(value, headerText(reply.getHeader('content-type')));
    } catch (error) {
      this.#void(hold);
      throw error;
    }
    const served = this.receipts.describe(call.exchange, {
      method: call.request.method,
      resourceUrl: this.offers.url(call.request),
      status: reply.statusCode,
      body,
    });
    await (hold.rail === 'key' ? this.#postUnits(call, hold, served) : this.#settle(call, hold, served));
    if (body.contentType !== undefined) reply.header('content-type', body.contentType);
    return body.payload;
  }

  async #postUnits(call: Call, hold: KeyHold, served: ServedCall): Promise<void> {
    try {
      await this.#postKeyCall(call, hold, served);
    } catch (error) {
      if (errorCode(error) !== fencedState) {
        this.meter.void(hold);
        throw error;
      }
      await this.meter.forget(hold);
      await this.#postAgain(call, served);
    }
  }

  /**
   * Peers took this process for dead and swept its lease. The call was served: it is counted on a fresh one, unless a
   * post whose answer was lost had committed, which the sweep has counted then.
   */
  async #postAgain(call: Call, served: ServedCall): Promise<void> {
    const { exchange } = call;
    const known = await this.receipts.findPosted(exchange.id);
    if (known !== null) {
      this.#attach(call.reply, exchange, known);
      return;
    }
    const terms = await this.terms.of(accountOf(exchange).accountId);
    const hold = await this.meter.hold(terms, quoteOf(exchange).units, exchange.openedAt);
    if (typeof hold === 'string') throw this.offers.refused(hold, terms, exchange.openedAt);
    await this.#postKeyCall(call, hold, served).catch((error: unknown) => {
      this.meter.void(hold);
      throw error;
    });
  }

  async #postKeyCall({ exchange, reply }: Call, hold: KeyHold, served: ServedCall): Promise<void> {
    const { jws, post } = await this.receipts.postKeyCall(exchange, hold, served);
    this.meter.posted(hold, { post, units: hold.units });
    this.#attach(reply, exchange, jws);
  }

  async #settle(call: Call, hold: PaymentHold, served: ServedCall): Promise<void> {
    const { exchange, request, reply } = call;
    const quote = quoteOf(exchange);
    const terms = this.payments.terms(quote, this.offers.resource(request, quote));
    const paid = this.receipts.paidCall(exchange, hold, served);
    const outcome = await this.payments.settle(hold, { call: paid, body: Buffer.from(served.bytes), terms });
    const later = (cause?: unknown): Problem => this.payments.postLater(hold.exchangeId, outcome, cause);
    const posting = this.receipts.postOutcome(hold, paid, outcome).catch((error: unknown) => {
      throw later(error);
    });
    // The chain has spoken. A database that is away must not hold the caller: the same payment fetches what was served.
    const receipts = await withTimeout(posting, this.config.settleTimeoutMs, later);
    if (outcome.kind === 'settled' && receipts !== null) {
      this.#attach(reply, exchange, receipts.jws);
      reply.header(receipts.response.header, receipts.response.value);
      return;
    }
    const failure = outcome.kind === 'failed' ? outcome : { transaction: outcome.transaction, reason: 'not-posted' };
    const { header, value } = this.receipts.failureResponse(hold, failure);
    throw this.payments.challenge(terms, 'payment/failed', `The settlement failed: ${failure.reason}.`, {
      [header]: value,
    });
  }

  async #replay(exchange: Exchange, replay: Replay, reply: FastifyReply): Promise<unknown> {
    const { jws, response } = await this.receipts.forReplay(replay);
    this.#attach(reply, exchange, jws, replay.exchangeId);
    reply.header(response.header, response.value);
    reply.status(replay.call.status);
    if (replay.call.contentType !== undefined) reply.header('content-type', replay.call.contentType);
    return replay.body;
  }

  #attach(reply: FastifyReply, exchange: Exchange, jws: string, receiptId = exchange.id): void {
    exchange.receiptId = receiptId;
    reply.header('keyfare-receipt', jws);
    reply.header('receipt-id', receiptId);
    reply.header('cache-control', 'private, no-store');
  }

  #void(hold: KeyHold | PaymentHold): void {
    this.holds.void(hold);
  }
}

interface Call {
  readonly exchange: Exchange;
  readonly hold: KeyHold | PaymentHold;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

function accountOf({ principal }: Exchange) {
  if (principal?.kind !== 'account') throw new Error('a key call without an account');
  return principal;
}

function quoteOf({ quote }: Exchange) {
  if (quote === undefined) throw new Error('the exchange has no quote');
  return quote;
}

function headerText(value: number | string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
