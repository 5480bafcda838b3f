import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem, type ProblemCode } from '@keyfare/core/problem';
import type { PaymentTerms } from '@keyfare/core/x402';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AnswerService, ownerOf } from '../answer/answer.service.js';
import type { KnownPayment, PaymentHold } from '../payment/call.js';
import { requestFingerprint } from '../payment/fingerprint.js';
import type { PaidRequest } from '../payment/paid-request.js';
import { PaymentService } from '../payment/payment.service.js';
import { RouteDescriptions } from '../route-descriptions.js';
import { Strangers } from '../strangers.js';
import { attachReceipt } from './attach.js';
import type { Entering, Exchange } from './exchange.js';
import { LaterEntries } from './later.js';
import { PaidPosts } from './paid-posts.js';
import { ExchangeReceipts } from './receipts.js';

/** The longest name that a stored answer is kept under, in characters. */
const longestKey = 255;

/**
 * The way in of a paid call: its offers, its claim, and, where the route says so, the settlement before the handler.
 */
@Injectable()
export class PaidEntry {
  constructor(
    private readonly payments: PaymentService,
    private readonly later: LaterEntries,
    private readonly paidPosts: PaidPosts,
    private readonly receipts: ExchangeReceipts,
    private readonly answers: AnswerService,
    private readonly strangers: Strangers,
    private readonly descriptions: RouteDescriptions,
  ) {}

  /** What the caller may pay with. */
  offers({ tariff, quote, resource }: Exchange): readonly PaymentTerms[] {
    if (quote === undefined || resource === undefined) throw new Error('the exchange has no quote');
    const mimeType = tariff?.mimeType ?? 'application/json';
    const about = this.descriptions.of(tariff, resource.method);
    return this.payments.offers(quote, { url: resource.url, description: quote.sku, mimeType, about });
  }

  challenge(offers: readonly PaymentTerms[], code: ProblemCode, detail?: string): Problem {
    return this.payments.challenge(offers, code, detail);
  }

  /**
   * The claimed payment, settled already where its flow is `upfront`; or `answered`, when the payment was served before
   * and the stored answer goes out again. Refuses as `PaymentService.hold`, and with 409 `payment/served` whoever does
   * not show that the stored answer is theirs.
   */
  async hold(
    entering: Entering,
    payer: PayerPrincipal,
    offers: readonly PaymentTerms[],
  ): Promise<PaymentHold | 'answered'> {
    const { exchange, request } = entering;
    exchange.owners = ownersOf(request, payer);
    // Who has a key is no stranger.
    const isStranger = exchange.account === undefined;
    if (isStranger) this.strangers.admit(request.ip, payer);
    let isAsked = false;
    const presented = presentedIn(entering, offers, () => {
      isAsked = true;
    });
    const refused = (error: unknown): never => {
      if (isStranger && isAsked) this.strangers.refused(request.ip, payer, error);
      throw error;
    };
    const held = await this.payments.hold(payer, presented).catch(refused);
    if (held.rail === 'known') {
      await this.#answerAgain(entering, held, payer.payment.x402Version).catch(refused);
      return 'answered';
    }
    this.strangers.learn(payer);
    if (held.flow === 'upfront') await this.#settleUpfront(exchange, held);
    return held;
  }

  /**
   * What `hold` would do: `fresh` where it would claim the payment, `again` where the stored answer would go out.
   * Nothing is claimed or settled. It counts as a refused payment whatever comes of it, for nobody pays for the
   * questions.
   */
  async rehearse(
    { exchange, request, reply }: Entering,
    payer: PayerPrincipal,
    offers: readonly PaymentTerms[],
  ): Promise<'fresh' | 'again'> {
    exchange.owners = ownersOf(request, payer);
    this.strangers.admit(request.ip, payer);
    let isCounted = false;
    const presented = presentedIn({ exchange, request, reply }, offers, () => {
      if (isCounted) return;
      isCounted = true;
      this.strangers.refused(request.ip, payer, new Problem('payment/required'));
    });
    const found = await this.payments.rehearse(payer, presented);
    if (found === 'fresh') return found;
    if ((await this.answers.find(found.exchangeId, exchange.owners)) === null) throw new Problem('payment/served');
    return 'again';
  }

  async #settleUpfront(exchange: Exchange, hold: PaymentHold): Promise<void> {
    exchange.enter('settle');
    const outcome = await this.payments.settleUpfront(hold);
    await this.later.settleSilently(hold, outcome).catch((error: unknown) => {
      throw this.payments.postLater(hold.exchangeId, outcome, error);
    });
    if (outcome.kind === 'failed') throw this.paidPosts.failed(hold, outcome);
    exchange.upfront = outcome.transaction;
  }

  async #answerAgain({ exchange, reply }: Entering, known: KnownPayment, askedIn: 1 | 2): Promise<void> {
    const stored = await this.answers.find(known.exchangeId, exchange.owners);
    if (stored === null) throw new Problem('payment/served');
    const receipt = await this.receipts.forKnown(known, askedIn);
    exchange.answerOf = known.exchangeId;
    void reply.status(stored.status);
    for (const [name, value] of Object.entries(stored.headers)) {
      void reply.header(name, typeof value === 'string' ? value : [...value]);
    }
    void reply.header('idempotent-replay', 'true');
    attachReceipt(reply, exchange, { ...receipt, receiptId: known.exchangeId });
    // Fastify gives a Buffer a type, and plugins have had their turn when the answer was stored: the way out undoes
    // both.
    exchange.again = stored.body;
    exchange.sealed = { status: stored.status, headers: reply.getHeaders() };
    void reply.send(stored.body);
  }
}

/** The request as the payment is for it. `onAsk` is called before the database or the node is asked. */
function presentedIn({ exchange, request }: Entering, terms: readonly PaymentTerms[], onAsk: () => void): PaidRequest {
  if (exchange.quote === undefined) throw new Error('the exchange has no quote');
  return {
    exchangeId: exchange.id,
    sku: exchange.quote.sku,
    terms,
    fingerprint: requestFingerprint(request.method, request.raw.url ?? '/', exchange.requestDigest),
    account: exchange.account ?? null,
    // What an account pays beyond its plan changes with the plan.
    mayBeRepriced: exchange.tariff?.quote === undefined || exchange.account !== undefined,
    onAsk,
  };
}

/**
 * The names under which this caller may ask for the answer again (draft-ietf-httpapi-idempotency-key-header; x402
 * `payment-identifier`).
 */
function ownersOf(request: FastifyRequest, { payment }: PayerPrincipal): readonly Buffer[] {
  // Node joins a header that came twice into one text; the distinct values show it.
  const [key, another] = request.raw.headersDistinct['idempotency-key'] ?? [];
  if (another !== undefined || (key !== undefined && (key.length === 0 || key.length > longestKey))) {
    throw new Problem('request/malformed', `The Idempotency-Key must be one text of 1 to ${longestKey} characters.`);
  }
  return [
    ...(key === undefined ? [] : [ownerOf('idempotency-key', key)]),
    ...(payment.identifier === undefined ? [] : [ownerOf('payment-identifier', payment.identifier)]),
  ];
}
