import { priceOfOffer, type Quote, type TariffOffer } from '@keyfare/core/metering';
import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem, type ProblemCode } from '@keyfare/core/problem';
import {
  findNetwork,
  matchOffer,
  type PaymentTerms,
  type ResourceDescription,
  type SignatureVerifier,
  tokenBySymbol,
} from '@keyfare/core/x402';
import { asProblem, DatabaseUnavailable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { GateConfig, paymentMarginSeconds } from '../config.js';
import { Networks } from '../networks.js';
import { ReplicaId } from '../replica-id.js';
import { Settlements, type Watch } from '../settling.js';
import { signatureVerifier } from '../tokens.js';
import { Tracing } from '../tracing.js';
import { withTimeout } from '../with-timeout.js';
import { answerKnown, challenge, comeBack, inProgress, outcomeUnknown, toProblem } from './answers.js';
import { BlockList } from './block-list.js';
import { Breaker } from './breaker.js';
import type { KnownPayment, PaidCall, PaymentHold, PaymentOutcome } from './call.js';
import { ChainCheck } from './chain-check.js';
import { type Claim, Claims, type Open } from './claims.js';
import { CodeReads } from './code-reads.js';
import { Endings, type EndPayment } from './endings.js';
import { exactScheme } from './exact.scheme.js';
import { limitExposure } from './exposure-limit.js';
import { type PaidRequest, toHold } from './paid-request.js';
import { holdOf, type PaymentRow } from './payment-row.js';

/** What an offer says of the answer. */
export interface Sold {
  readonly url: string;
  readonly description: string;
  /** RFC 6838, as the answer's `Content-Type` will have it. */
  readonly mimeType: string;
  /** What the route takes and answers, where that is declared. */
  readonly about?: ResourceDescription | undefined;
}

/** For so long after it ran out a payment is looked up when it is presented again: its answer may still be owed. */
const recallSeconds = 3_600n;

/** Claims and verifies payments, and knows what became of them: everything of a payment but its transaction. */
@Injectable()
export class PaymentService {
  readonly blockList: BlockList;
  readonly #claims: Claims;
  readonly #check: ChainCheck;
  readonly #scheme: ReturnType<typeof exactScheme>;
  readonly #endings: Endings;
  readonly #breaker = new Breaker();
  readonly #codeReads = new CodeReads();
  readonly #logger = new Logger('Payment');
  #unattended: ReadonlySet<string> = new Set();

  constructor(
    private readonly config: GateConfig,
    sql: SqlPool,
    private readonly networks: Networks,
    private readonly settlements: Settlements,
    @Inject(signatureVerifier) verifier: SignatureVerifier,
    replica: ReplicaId,
    private readonly tracing: Tracing,
  ) {
    this.#claims = new Claims(sql, replica, config.clock);
    this.blockList = new BlockList(sql, config.clock);
    this.#scheme = exactScheme(verifier);
    this.#check = new ChainCheck(this.#scheme);
    this.#endings = new Endings(this.#claims);
  }

  /** Names who posts the ends of payments that no caller waits for. */
  onEnd(end: EndPayment): void {
    this.#endings.onEnd(end);
  }

  /** A payment ended that no caller waits for: it is posted as soon as the database takes it. */
  end(exchangeId: string, outcome: PaymentOutcome): void {
    void this.#endings.end(exchangeId, outcome);
  }

  /** A settlement did not move this payer's payment, and its gas is spent. */
  reverted(payer: string): void {
    this.#breaker.reverted(payer);
  }

  /** Who is refused at the moment because of reverts. */
  get breaker(): Pick<Breaker, 'state' | 'open'> {
    return this.#breaker;
  }

  /** What a payer is asked for: every offer of the route, the preferred one first. */
  offers(quote: Quote, { url, description, mimeType, about }: Sold): readonly PaymentTerms[] {
    const offers: readonly TariffOffer[] = quote.offers ?? [{}];
    return offers.map((offer) => {
      const caip2 = offer.network === undefined ? this.config.network.caip2 : findNetwork(offer.network)?.caip2;
      const { settings } = this.networks.get(caip2 ?? String(offer.network));
      const flow = offer.flow ?? 'authorization';
      const asset = tokenBySymbol(settings.network, offer.asset ?? 'USDC');
      if (asset === null) throw new Error(`${settings.network.name} has no ${offer.asset}`);
      return {
        flow,
        network: settings.network,
        asset,
        payTo: (offer.payTo ?? settings.payTo) as `0x${string}`,
        amount: priceOfOffer(quote, offer).atomic,
        maxTimeoutSeconds: flow === 'deferred' ? this.config.deferred.timeoutSeconds : this.config.maxTimeoutSeconds,
        resourceUrl: url,
        description,
        mimeType,
        about,
      };
    });
  }

  /** A 402 with the offers for both versions of x402. */
  challenge(
    terms: readonly PaymentTerms[],
    code: ProblemCode,
    detail?: string,
    headers: Record<string, string> = {},
  ): Problem {
    return challenge(terms, code, { detail, headers });
  }

  /**
   * Makes a payment this exchange's own, or answers with what became of it before. What needs neither database nor
   * chain is checked first. Refuses with a 402 challenge, 409, or 503. After any refusal nothing is claimed.
   */
  async hold(payer: PayerPrincipal, request: PaidRequest): Promise<PaymentHold | KnownPayment> {
    return this.#present(payer, request, (hold) => this.#claim(payer, hold, request));
  }

  /**
   * What `hold` would answer now, as `fresh` where it would claim the payment; nothing is claimed. Refuses as `hold`.
   */
  async rehearse(payer: PayerPrincipal, request: PaidRequest): Promise<'fresh' | KnownPayment> {
    return this.#present(payer, request, async (hold) => {
      const claim = await this.#claims.rehearse(hold).catch((error: unknown) => {
        throw asProblem(error);
      });
      if (claim.won) {
        await this.#examine(hold, claim, request.terms);
        return 'fresh' as const;
      }
      return (await this.#lost(payer, hold, { request, claim })) ?? Promise.reject(inProgress(1));
    });
  }

  /** Checks all that needs no claim, and lets `go` do the rest. */
  async #present<T>(
    payer: PayerPrincipal,
    request: PaidRequest,
    go: (hold: PaymentHold) => Promise<T>,
  ): Promise<T | KnownPayment> {
    const now = this.config.clock();
    const { authorization, accepted, asset } = payer.payment;
    const question = { authorization, network: payer.network, asset: asset?.address, accepted, now };
    const match = matchOffer(question, request.terms);
    const hold = toHold(payer, request, { terms: match.terms, now });
    const refusal = match.ok
      ? this.#refuseTime(hold, now)
      : challenge(request.terms, match.code, { detail: match.detail });
    if (refusal !== null) {
      // Never a fresh 402 while money may have moved: the payment may have been taken before it ran out, or before the
      // price of this request changed.
      const mayBeKnown =
        (refusal.code === 'payment/expired' && this.#mayBeOwed(hold, now)) ||
        (refusal.code === 'payment/mismatched' && request.mayBeRepriced);
      if (mayBeKnown) request.onAsk();
      const row = mayBeKnown ? await this.#recall(payer, hold) : undefined;
      if (row === undefined) throw refusal;
      return answerKnown(row, request);
    }
    if (payer.payment.proof === 'code') await this.#demandCode(hold, request);
    const unavailable = this.#refuseNow(hold);
    if (unavailable !== null) {
      // That a payment was served comes before what is wrong with the chain today.
      request.onAsk();
      const row = await this.#recall(payer, hold);
      if (row === undefined) throw unavailable;
      return answerKnown(row, request);
    }
    request.onAsk();
    return go(hold);
  }

  /** Gives a hold up: the payment may be presented again when it resolves, or is let go as soon as the database can. */
  async void({ exchangeId }: Pick<PaymentHold, 'exchangeId'>): Promise<void> {
    await this.#claims.release(exchangeId);
  }

  /**
   * Submits the payment of a served call and waits for the chain, within the bound. Throws 503
   * `payment/outcome-unknown` when the bound passes, or when the transaction reverted and the authorization is still
   * good: the money may move, so the caller must come back with the same payment.
   */
  async settle(hold: PaymentHold, { call }: { readonly call: PaidCall }): Promise<PaymentOutcome> {
    return this.#settle(hold, call);
  }

  /**
   * As `settle`, before the handler: there is no call yet. The outcome is to be posted by `PostOffice` before it runs.
   */
  async settleUpfront(hold: PaymentHold): Promise<PaymentOutcome> {
    return this.#settle(hold, null);
  }

  /** For an outcome that could not be posted: it is, as soon as the database takes it. The caller's 503 meanwhile. */
  postLater(exchangeId: string, outcome: PaymentOutcome, cause: unknown): Problem {
    this.end(exchangeId, outcome);
    return outcomeUnknown(cause);
  }

  /** A payment as it stands, by the exchange it belongs to. */
  async find(exchangeId: string): Promise<PaymentRow | undefined> {
    return (await this.#claims.findByExchange([exchangeId]))[0];
  }

  /**
   * Within the caller's transaction: frees claims that no living process works on, and takes over what dead ones were
   * settling. Answers the payments that somebody must follow.
   */
  async sweep(tx: Sql, deadReplicas: readonly string[]): Promise<readonly string[]> {
    const owned = await this.#claims.sweep(tx, deadReplicas, this.#ownBefore());
    const loose = owned.filter(({ exchangeId: id }) => !this.settlements.isUnderWay(id) && !this.#endings.has(id));
    // Between two of its steps a payment is in nobody's hands for a moment. One that is at two sweeps was dropped.
    const dropped = loose.filter(({ exchangeId, adopted }) => adopted || this.#unattended.has(exchangeId));
    this.#unattended = new Set(loose.map(({ exchangeId }) => exchangeId));
    return dropped.map(({ exchangeId }) => exchangeId);
  }

  /** Upfront payments that moved, and whose call nobody will serve: their payers are owed a refund. */
  async unserved(): Promise<readonly PaymentRow[]> {
    return this.#claims.unserved(this.#ownBefore());
  }

  /** Bounded, though database and chain be away: what is left under way is in the database, for a peer. */
  async close(): Promise<void> {
    await this.#claims.close();
    await this.#endings.close();
  }

  #ownBefore(): Date {
    const longestExchangeMs = this.config.handlerTimeoutMs + 2 * this.config.settleTimeoutMs;
    return new Date(this.config.clock().getTime() - longestExchangeMs);
  }

  /** A payment must not run out before the handler and the settlement have had their time. */
  #refuseTime(hold: PaymentHold, now: Date): Problem | null {
    const { handlerTimeoutMs, settleTimeoutMs, deferred } = this.config;
    const handlerMs = hold.flow === 'upfront' ? 0 : handlerTimeoutMs;
    const extra = hold.flow === 'deferred' ? deferred.marginSeconds : 0;
    const least = Math.ceil((handlerMs + settleTimeoutMs) / 1_000) + paymentMarginSeconds + extra;
    const left = hold.validBefore - BigInt(Math.floor(now.getTime() / 1_000));
    if (left >= BigInt(least)) return null;
    const detail = `The payment is valid for ${left} seconds more; a call may take ${least} until it is settled.`;
    return challenge(hold.offers, 'payment/expired', { detail });
  }

  /** Whether a payment that has run out may have been served, so that its answer is looked for. */
  #mayBeOwed(hold: PaymentHold, now: Date): boolean {
    return hold.validBefore + recallSeconds > BigInt(Math.floor(now.getTime() / 1_000));
  }

  #refuseNow(hold: PaymentHold): Problem | null {
    if (this.settlements.refuses(hold.network)) {
      return new Problem('service/chain-unavailable', 'Settlements are not taken at the moment.');
    }
    const open = this.#breaker.isOpen(hold.payer);
    if (open === null) return null;
    const whose = open === 'payer' ? 'of this payer' : 'of many payers';
    return comeBack('payment/reverting', `Settlements ${whose} have reverted again and again.`, 60);
  }

  /** Only code can prove a signature that no key made: one bounded read tells whether there is any. */
  async #demandCode(hold: PaymentHold, { onAsk }: PaidRequest): Promise<void> {
    const detail = 'The signature is not by the payer, or not over this authorization.';
    const refusal = challenge(hold.offers, 'payment/invalid-signature', { detail });
    if (this.#codeReads.isCodeless(hold.payer)) throw refusal;
    if (!this.#codeReads.spend())
      throw comeBack('service/overloaded', 'Too many signatures to ask the chain about.', 1);
    onAsk();
    const { hasCode } = await this.#scheme.read(hold, this.networks.get(hold.network)).catch((error: unknown) => {
      throw toProblem(error);
    });
    this.#codeReads.learn(hold.payer, hasCode);
    if (!hasCode) throw refusal;
  }

  async #claim(payer: PayerPrincipal, hold: PaymentHold, request: PaidRequest): Promise<PaymentHold | KnownPayment> {
    for (let attempt = 0; ; attempt += 1) {
      const claim = await this.#claims.claim(hold).catch((error: unknown) => {
        void this.void(hold);
        throw asProblem(error);
      });
      if (claim.won) return this.#verify(hold, claim, request.terms);
      const known = await this.#lost(payer, hold, { request, claim });
      if (known !== undefined) return known;
      if (attempt === 3) throw inProgress(1);
    }
  }

  /** What became of a payment that another exchange has; undefined where that has just given it up. */
  async #lost(
    payer: PayerPrincipal,
    hold: PaymentHold,
    { request, claim }: { request: PaidRequest; claim: Claim },
  ): Promise<KnownPayment | undefined> {
    if ('blocked' in claim) throw new Problem('payment/payer-blocked');
    const row = await this.#recall(payer, hold);
    if (row === undefined) return undefined;
    if (row.state !== 'claimed' || row.owner_alive) return answerKnown(row, request);
    // Its process died before anything was submitted: the next sweep frees it.
    throw inProgress(2);
  }

  /**
   * The row of a payment that was presented before. Where code must prove the signature, the bytes must be the same.
   */
  async #recall(payer: PayerPrincipal, hold: PaymentHold): Promise<PaymentRow | undefined> {
    const row = await this.#claims.find(hold).catch((error: unknown) => {
      throw asProblem(error);
    });
    if (row === undefined || payer.payment.proof === 'key') return row;
    const known = holdOf(row);
    const isSame =
      known.signature === hold.signature &&
      known.payTo === hold.payTo &&
      known.amount === hold.amount &&
      known.validAfter === hold.validAfter &&
      known.validBefore === hold.validBefore;
    if (isSame) return row;
    throw challenge(hold.offers, 'payment/invalid-signature');
  }

  async #verify(hold: PaymentHold, open: Open, terms: readonly PaymentTerms[]): Promise<PaymentHold> {
    try {
      return await this.#examine(hold, open, terms);
    } catch (error) {
      // Before the caller hears of it: who presents the payment elsewhere at once must not be told that it was used.
      await this.void(hold);
      throw error;
    }
  }

  async #examine(hold: PaymentHold, open: Open, terms: readonly PaymentTerms[]): Promise<PaymentHold> {
    try {
      const access = this.networks.get(hold.network);
      if (hold.flow === 'deferred') limitExposure(open, hold, { access, deferred: this.config.deferred });
      return await this.tracing.within('chain check', async () =>
        this.#check.verify(hold, { open: open.byPayer, terms, access }),
      );
    } catch (error) {
      throw toProblem(error);
    }
  }

  async #settle(hold: PaymentHold, call: PaidCall | null): Promise<PaymentOutcome> {
    const watch = this.#submit(hold, call);
    const known = watch.then(({ ended, reverted }) => Promise.race([ended, reverted]));
    const outcome = await withTimeout(known, this.config.settleTimeoutMs, () => {
      this.#endAlone(hold.exchangeId, watch);
      return outcomeUnknown();
    });
    if (outcome !== null) return outcome;
    this.#endAlone(hold.exchangeId, watch);
    throw outcomeUnknown();
  }

  async #submit(hold: PaymentHold, call: PaidCall | null): Promise<Watch> {
    const waitingUntil = new Date(this.config.clock().getTime() + this.config.settleTimeoutMs);
    const submission = { movement: hold, call, waitingUntil, alone: hold.isProvenByCode };
    const submitted = await this.settlements.submit(submission).catch((error: unknown) => {
      // Where it was stored all the same, the release leaves it alone, and a sweep follows it.
      void this.void(hold);
      throw error instanceof DatabaseUnavailable && error.inDoubt ? outcomeUnknown(error) : toProblem(error);
    });
    if (submitted === 'taken') throw outcomeUnknown();
    if (submitted === 'expired') {
      await this.void(hold);
      const detail = 'The authorization ran out while the call was being served.';
      throw hold.offers.length === 0
        ? new Problem('payment/expired', detail)
        : challenge(hold.offers, 'payment/expired', { detail });
    }
    return submitted;
  }

  /** Posts the end of a payment whose caller was sent away. */
  #endAlone(exchangeId: string, watch: Promise<Watch>): void {
    watch
      .then(async ({ ended }) => this.#endings.end(exchangeId, await ended))
      .catch((error: unknown) => this.#logger.warn(error));
  }
}
