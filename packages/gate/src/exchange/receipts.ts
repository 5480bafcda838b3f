import type { Hex } from '@keyfare/core/encoding';
import { Problem } from '@keyfare/core/problem';
import type { ReceiptPayload } from '@keyfare/core/receipt';
import { monthOf, unixSeconds } from '@keyfare/core/time';
import { findNetwork, findToken, formatPaymentResponse, type SettlementHeader } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';
import type { NewAnswer } from '../answer/stored-answer.js';
import { GateConfig } from '../config.js';
import type { KeyHold } from '../meter/hold.js';
import { GateMetrics } from '../metrics.js';
import type { KnownPayment, PaidCall, PaymentHold, PaymentOutcome } from '../payment/call.js';
import { ReceiptService } from '../receipt/receipt.service.js';
import type { AnswerBytes } from './answer-bytes.js';
import type { Exchange } from './exchange.js';
import { PostOffice } from './post.js';
import type { ServedCallPost } from './post-item.js';

/** What a receipt says of a served call, whatever the rail. */
export interface ServedCall {
  readonly method: string;
  readonly resourceUrl: string;
  readonly status: number;
  readonly requestDigest: string | undefined;
  readonly responseDigest: string;
  readonly contentType: string | undefined;
}

/** A paid call's receipt, and the x402 headers that tell how its payment ended. */
export interface PaidReceipt {
  readonly jws: string;
  readonly responses: readonly SettlementHeader[];
}

/** A call and its answer, to be kept together; null for an answer that is too large to keep. */
interface Served {
  readonly call: PaidCall;
  readonly answer: NewAnswer | null;
}

/** Receipts of exchanges: what they say, and their way into the books. */
@Injectable()
export class ExchangeReceipts {
  constructor(
    private readonly config: GateConfig,
    private readonly receipts: ReceiptService,
    private readonly post: PostOffice,
    private readonly metrics: GateMetrics,
  ) {}

  /** What the receipt says of the call, from the answer as it leaves. */
  describe({ exchange, answer }: { readonly exchange: Exchange; readonly answer: AnswerBytes }): ServedCall {
    const { resource, requestDigest } = exchange;
    if (resource === undefined) throw new Error('the exchange has no resource');
    const { status, digest, contentType } = answer;
    return {
      method: resource.method,
      resourceUrl: resource.url,
      status,
      requestDigest,
      responseDigest: digest,
      contentType,
    };
  }

  /** Signs for a call by key and posts it. Resolves when it is durable, with the number of its group of posts. */
  async postKeyCall(exchange: Exchange, hold: KeyHold, served: ServedCall): Promise<{ jws: string; post: bigint }> {
    const { principal, quote } = exchange;
    if (principal?.kind !== 'account' || quote === undefined) throw new Error('a key call without account or quote');
    const issuedAt = this.config.clock();
    const signed = this.receipts.signReceipt(
      {
        version: 1,
        id: exchange.id,
        rail: 'key',
        principal: principal.accountId,
        sku: quote.sku,
        method: served.method,
        resourceUrl: served.resourceUrl,
        status: served.status,
        units: Number(hold.units),
        ...(served.requestDigest === undefined ? {} : { requestDigest: served.requestDigest }),
        responseDigest: served.responseDigest,
        issuedAt: unixSeconds(issuedAt),
      },
      issuedAt,
    );
    const post = await this.post.postKeyCall({
      ...signed,
      id: exchange.id,
      accountId: principal.accountId,
      keyId: principal.keyId,
      sku: quote.sku,
      units: hold.units,
      periodStart: hold.periodStart,
      occurredAt: exchange.openedAt,
      writer: hold.writer,
    });
    return { jws: signed.jws, post };
  }

  /** The receipt of a call that is posted already; null when it is not. */
  async findPosted(exchangeId: string): Promise<string | null> {
    try {
      return await this.receipts.find(exchangeId);
    } catch (error) {
      if (error instanceof Problem && error.code === 'receipt/not-found') return null;
      throw error;
    }
  }

  /** What the receipt of a paid call will say, as it is stored before the broadcast. */
  paidCall(exchange: Exchange, hold: PaymentHold, served: ServedCall): PaidCall {
    const { quote, openedAt } = exchange;
    if (quote === undefined) throw new Error('a paid call without a quote');
    return {
      x402Version: hold.x402Version,
      sku: quote.sku,
      units: quote.units.toString(),
      method: served.method,
      resourceUrl: served.resourceUrl,
      status: served.status,
      ...(served.requestDigest === undefined ? {} : { requestDigest: served.requestDigest }),
      responseDigest: served.responseDigest,
      ...(served.contentType === undefined ? {} : { contentType: served.contentType }),
      occurredAt: openedAt.toISOString(),
      periodStart: monthOf(openedAt).start.toISOString(),
    };
  }

  /**
   * Posts the end of a payment: a settled one with its receipt, a failed one with an entry that says so. Answers the
   * receipt, which is the stored one when another process was first; null when there is none.
   */
  async postOutcome(hold: PaymentHold, call: PaidCall, outcome: PaymentOutcome): Promise<PaidReceipt | null> {
    if (outcome.kind === 'failed') {
      await this.#postUnpaid(hold, call, outcome);
      return null;
    }
    const issuedAt = this.config.clock();
    const payload = this.#paidPayload(hold, call, { transaction: outcome.transaction, issuedAt });
    const signed = this.receipts.signReceipt(payload, issuedAt);
    const first = await this.post.postPaidCall({
      ...signed,
      id: hold.exchangeId,
      accountId: hold.accountId,
      keyId: hold.keyId,
      payer: hold.payer,
      sku: call.sku,
      units: BigInt(call.units),
      periodStart: new Date(call.periodStart),
      occurredAt: new Date(call.occurredAt),
      transaction: outcome.transaction,
    });
    const jws = first ? signed.jws : await this.receipts.find(hold.exchangeId);
    return { jws, responses: [this.#response(hold, { transaction: outcome.transaction })] };
  }

  /** Signs for a deferred call and posts it: the payment is served then, and collected later. */
  async postDeferred(hold: PaymentHold, served: Served): Promise<PaidReceipt> {
    return this.#postServed(hold, served, { transaction: null, post: (item) => this.post.postDeferredCall(item) });
  }

  /** Signs for a call that was paid for before it was served, and posts it. */
  async postUpfront(hold: PaymentHold, served: Served, transaction: Hex): Promise<PaidReceipt> {
    return this.#postServed(hold, served, { transaction, post: (item) => this.post.postUpfrontCall(item) });
  }

  async #postServed(
    hold: PaymentHold,
    { call, answer }: Served,
    { transaction, post }: { transaction: Hex | null; post: (item: ServedCallPost) => Promise<boolean> },
  ): Promise<PaidReceipt> {
    const issuedAt = this.config.clock();
    const signed = this.receipts.signReceipt(this.#paidPayload(hold, call, { transaction, issuedAt }), issuedAt);
    const { exchangeId: id, accountId, keyId, payer, unusedAtBlock } = hold;
    const usage = {
      sku: call.sku,
      units: BigInt(call.units),
      periodStart: new Date(call.periodStart),
      occurredAt: new Date(call.occurredAt),
    };
    const first = await post({ ...signed, ...usage, id, accountId, keyId, payer, call, answer, unusedAtBlock });
    const jws = first ? signed.jws : await this.findPosted(id);
    // Peers took this process for dead: they gave up its claim, or recorded that a refund is due.
    if (jws === null) throw new Problem(transaction === null ? 'payment/in-progress' : 'payment/refund-due');
    return { jws, responses: [this.#response(hold, { transaction })] };
  }

  /**
   * The receipt and headers of a call that was served before: for the version it was paid in, and for that asked in
   * now.
   */
  async forKnown(known: KnownPayment, askedIn: 1 | 2): Promise<PaidReceipt> {
    const jws = await this.receipts.find(known.exchangeId);
    const { network, payer, amount, transaction, call } = known;
    const versions = new Set([call.x402Version, askedIn]);
    const responses = [...versions].map((x402Version) => {
      return this.#response({ network, payer, amount, x402Version }, { transaction });
    });
    return { jws, responses };
  }

  /** The x402 header of a payment that failed. */
  failureResponse(hold: PaymentHold, { transaction }: { transaction: Hex | null }): SettlementHeader {
    return formatPaymentResponse(hold.x402Version, {
      success: false,
      network: findNetwork(hold.network) ?? this.config.network,
      payer: hold.payer,
      transaction: transaction ?? undefined,
      errorReason: 'invalid_transaction_state',
    });
  }

  async #postUnpaid(hold: PaymentHold, call: PaidCall, outcome: PaymentOutcome & { kind: 'failed' }): Promise<void> {
    const issuedAt = this.config.clock();
    const signed = this.receipts.sign(
      'unpaid',
      {
        version: 1,
        id: hold.exchangeId,
        network: hold.network,
        payer: hold.payer,
        payTo: hold.payTo,
        asset: hold.asset,
        nonce: hold.nonce,
        amount: hold.amount.toString(),
        sku: call.sku,
        method: call.method,
        resourceUrl: call.resourceUrl,
        reason: outcome.reason,
        ...(outcome.transaction === null ? {} : { transaction: outcome.transaction }),
        issuedAt: unixSeconds(issuedAt),
      },
      issuedAt,
    );
    const { transaction, reason: failure } = outcome;
    await this.post.postUnpaidCall({ ...signed, id: hold.exchangeId, payer: hold.payer, transaction, failure });
    this.metrics.unpaid.inc();
  }

  #paidPayload(
    hold: PaymentHold,
    call: PaidCall,
    { transaction, issuedAt }: { transaction: Hex | null; issuedAt: Date },
  ): ReceiptPayload {
    const network = findNetwork(hold.network);
    const token = network && findToken(network, hold.asset);
    return {
      version: 1,
      id: hold.exchangeId,
      rail: 'x402',
      principal: hold.payer,
      ...(hold.accountId === null ? {} : { account: hold.accountId }),
      sku: call.sku,
      method: call.method,
      resourceUrl: call.resourceUrl,
      status: call.status,
      units: Number(call.units),
      ...(call.requestDigest === undefined ? {} : { requestDigest: call.requestDigest }),
      responseDigest: call.responseDigest,
      issuedAt: unixSeconds(issuedAt),
      network: hold.network,
      payer: hold.payer,
      ...(transaction === null ? {} : { transaction }),
      asset: hold.asset,
      decimals: token?.decimals ?? 6,
      amount: hold.amount.toString(),
      payTo: hold.payTo,
      nonce: hold.nonce,
      settlement: transaction === null ? 'deferred' : 'settled',
    };
  }

  #response(
    { network, payer, amount, x402Version }: Pick<PaymentHold, 'network' | 'payer' | 'amount' | 'x402Version'>,
    { transaction }: { transaction: Hex | null },
  ): SettlementHeader {
    return formatPaymentResponse(x402Version, {
      success: true,
      transaction: transaction ?? undefined,
      network: findNetwork(network) ?? this.config.network,
      payer,
      amount,
    });
  }
}
