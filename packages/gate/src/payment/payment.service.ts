import type { Quote } from '@keyfare/core/metering';
import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem, type ProblemCode } from '@keyfare/core/problem';
import { checkTerms, type PaymentTerms } from '@keyfare/core/x402';
import { asProblem, DatabaseUnavailable, type Sql, SqlPool } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import type { SettlerWallet } from '@keyfare/evm/settler';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { evmChain, settlerWallet } from '../tokens.js';
import { withTimeout } from '../with-timeout.js';
import {
  answerKnown,
  challenge,
  inProgress,
  outcomeUnknown,
  type Presented,
  type Replay,
  toProblem,
} from './answers.js';
import type { PaidCall, PaymentHold, PaymentOutcome } from './call.js';
import { ChainCheck } from './chain-check.js';
import { Claims } from './claims.js';
import { Endings, type EndPayment } from './endings.js';
import { holdOf, type PaymentRow } from './payment-row.js';
import { Submissions } from './submissions.js';
import { type Watch, Watcher } from './watcher.js';

export type { Replay } from './answers.js';

/** The request that a payment is presented with. */
export interface PaidRequest extends Presented {
  readonly exchangeId: string;
  /** Where an account pays beyond its plan. */
  readonly account: { readonly accountId: string; readonly keyId: string } | null;
}

/** What was served for a payment, kept before the payment is broadcast. */
export interface Served {
  readonly call: PaidCall;
  readonly body: Buffer;
  readonly terms: PaymentTerms;
}

/** Claims, verifies, submits and follows payments: everything between a signed authorisation and its end. */
@Injectable()
export class PaymentService {
  readonly #claims: Claims;
  readonly #check: ChainCheck;
  readonly #submissions: Submissions;
  readonly #watcher: Watcher;
  readonly #endings: Endings;
  readonly #logger = new Logger('Payment');
  #unattended: ReadonlySet<string> = new Set();

  constructor(
    private readonly config: GateConfig,
    sql: SqlPool,
    @Inject(evmChain) chain: Chain,
    @Inject(settlerWallet) wallet: SettlerWallet,
    replica: ReplicaId,
  ) {
    this.#claims = new Claims(sql, replica, config.clock);
    this.#check = new ChainCheck(chain, wallet);
    this.#endings = new Endings(this.#claims);
    this.#submissions = new Submissions(sql, chain, wallet, {
      network: config.network.caip2,
      replica,
      now: config.clock,
    });
    this.#watcher = new Watcher({
      chain,
      submissions: this.#submissions,
      shortestPollMs: 5,
      longestPollMs: 1_000,
      rebroadcastAfterMs: 5_000,
      retryAfterMs: 1_000,
      replaceAfterMs: config.replaceAfterMs,
      onTrouble: (error) => this.#logger.warn(error),
    });
  }

  /** Names who posts the ends of payments that no caller waits for. */
  onEnd(end: EndPayment): void {
    this.#endings.onEnd(end);
  }

  get underWay(): number {
    return this.#watcher.size;
  }

  /** What a payer is asked for. */
  terms(quote: Quote, { url, description }: { url: string; description: string }): PaymentTerms {
    return {
      network: this.config.network,
      asset: this.config.network.usdc,
      payTo: this.config.payTo,
      amount: quote.price.atomic,
      maxTimeoutSeconds: this.config.maxTimeoutSeconds,
      resourceUrl: url,
      description,
      mimeType: 'application/json',
    };
  }

  /** A 402 with the offer for both versions of x402. */
  challenge(terms: PaymentTerms, code: ProblemCode, detail?: string, headers: Record<string, string> = {}): Problem {
    return challenge(terms, code, { detail, headers });
  }

  /** Whether this very payment, to the last bit, was proven and submitted before. 503 while the database is away. */
  async isKnown({ network, payer, payment }: PayerPrincipal): Promise<boolean> {
    const { authorization, asset, signature } = payment;
    const row = await this.#find({ network, asset: asset.address, payer, nonce: authorization.nonce });
    if (row === undefined || row.state === 'claimed') return false;
    const known = holdOf(row);
    return (
      known.signature === signature.toLowerCase() &&
      known.payTo === authorization.to &&
      known.amount === authorization.value &&
      known.validAfter === authorization.validAfter &&
      known.validBefore === authorization.validBefore
    );
  }

  /**
   * Makes a proven payment this exchange's own, or answers with what became of it before. Refuses with a 402 challenge,
   * 409 `payment/in-progress`, or 503. After any refusal nothing is claimed.
   */
  async hold(payer: PayerPrincipal, request: PaidRequest): Promise<PaymentHold | Replay> {
    const now = this.config.clock();
    const hold = toHold(payer, request, now);
    const refusal = this.#refuse(payer, request.terms, now);
    if (refusal !== null) {
      // The offer or the time may have changed since this payment was served: that it was served comes first.
      const row = await this.#find(hold);
      if (row === undefined) throw refusal;
      return answerKnown(row, request);
    }
    for (let attempt = 0; ; attempt += 1) {
      const claim = await this.#claims.claim(hold).catch((error: unknown) => {
        this.void(hold);
        throw asProblem(error);
      });
      if (claim.won) return this.#verify(hold, claim.open, request.terms);
      const row = await this.#find(hold);
      if (row === undefined && attempt < 3) continue;
      if (row === undefined) throw inProgress(1);
      if (row.state !== 'claimed' || row.owner_alive) return answerKnown(row, request);
      // Its process died before anything was submitted: the next sweep frees it.
      throw inProgress(2);
    }
  }

  /** Gives a hold up: the payment was not used and may be presented again. */
  void(hold: PaymentHold): void {
    void this.#claims.release(hold.exchangeId);
  }

  /**
   * Submits the payment of a served call and waits for the chain, within the bound. Throws 503
   * `payment/outcome-unknown` when the bound passes, or when the transaction reverted and the authorization is still good:
   * the money may move, so the caller must come back with the same payment.
   */
  async settle(hold: PaymentHold, served: Served): Promise<PaymentOutcome> {
    const watch = this.#submit(hold, served);
    const known = watch.then(({ ended, reverted }) => Promise.race([ended, reverted]));
    const outcome = await withTimeout(known, this.config.settleTimeoutMs, () => {
      this.#endAlone(hold.exchangeId, watch);
      return outcomeUnknown();
    });
    if (outcome !== null) return outcome;
    this.#endAlone(hold.exchangeId, watch);
    throw outcomeUnknown();
  }

  /** For an outcome that could not be posted: it is, as soon as the database takes it. The caller's 503 meanwhile. */
  postLater(exchangeId: string, outcome: PaymentOutcome, cause: unknown): Problem {
    void this.#endings.end(exchangeId, outcome);
    return outcomeUnknown(cause);
  }

  /**
   * Within the caller's transaction: frees claims that no living process works on, and takes over what dead ones
   * submitted. Answers the payments that nobody follows: `follow` them once the transaction is committed.
   */
  async sweep(tx: Sql, deadReplicas: readonly string[]): Promise<readonly string[]> {
    const longestExchangeMs = this.config.handlerTimeoutMs + this.config.settleTimeoutMs;
    const ownBefore = new Date(this.config.clock().getTime() - longestExchangeMs);
    const owned = await this.#claims.sweep(tx, deadReplicas, ownBefore);
    const loose = owned.filter(({ exchangeId: id }) => !this.#watcher.has(id) && !this.#endings.has(id));
    // Between two of its steps a payment is in nobody's hands for a moment. One that is at two sweeps was dropped.
    const dropped = loose.filter(({ exchangeId, adopted }) => adopted || this.#unattended.has(exchangeId));
    this.#unattended = new Set(loose.map(({ exchangeId }) => exchangeId));
    return dropped.map(({ exchangeId }) => exchangeId);
  }

  /** Follows payments that no caller waits for, to their end. */
  async follow(exchangeIds: readonly string[]): Promise<void> {
    if (exchangeIds.length === 0) return;
    const rows = await this.#claims.findByExchange(exchangeIds);
    const transactions = await this.#submissions.find(exchangeIds);
    for (const row of rows.filter(({ state }) => state === 'submitted')) {
      const watch = this.#watcher.watch(holdOf(row), transactions.get(row.exchange_id) ?? []);
      this.#endAlone(row.exchange_id, Promise.resolve(watch));
    }
  }

  /** Sends again what the chain lost, once it answers. Rejects with `ChainUnavailable` until then. */
  async openWallet(): Promise<void> {
    await this.#submissions.open();
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    this.#submissions.limitDoubt();
  }

  /** Bounded, though database and chain be away: what is left under way is in the database, for a peer. */
  async close(): Promise<void> {
    await Promise.all([this.#claims.close(), this.#submissions.close(), this.#watcher.close()]);
    await this.#endings.close();
  }

  #refuse({ payment }: PayerPrincipal, terms: PaymentTerms, now: Date): Problem | null {
    const verdict = checkTerms({ authorization: payment.authorization, terms, now });
    if (!verdict.ok) return challenge(terms, verdict.code, { detail: verdict.detail });
    if (!this.#watcher.refused) return null;
    return new Problem('service/chain-unavailable', 'Settlements are not taken at the moment.');
  }

  async #verify(hold: PaymentHold, open: bigint, terms: PaymentTerms): Promise<PaymentHold> {
    return this.#check.verify(hold, open, terms).catch((error: unknown) => {
      this.void(hold);
      throw toProblem(error);
    });
  }

  async #submit(hold: PaymentHold, { call, body, terms }: Served): Promise<Watch> {
    const waitingUntil = new Date(this.config.clock().getTime() + this.config.settleTimeoutMs);
    const submitted = await this.#submissions.submit({ hold, call, body, waitingUntil }).catch((error: unknown) => {
      // Where it was stored all the same, the release leaves it alone, and a sweep follows it.
      this.void(hold);
      throw error instanceof DatabaseUnavailable && error.inDoubt ? outcomeUnknown(error) : toProblem(error);
    });
    if (submitted === 'taken') throw outcomeUnknown();
    if (submitted === 'expired') {
      this.void(hold);
      const detail = 'The authorization ran out while the call was being served.';
      throw challenge(terms, 'payment/expired', { detail });
    }
    return this.#watcher.watch(hold, [submitted]);
  }

  /** Posts the end of a payment whose caller was sent away. */
  #endAlone(exchangeId: string, watch: Promise<Watch>): void {
    watch
      .then(async ({ ended }) => this.#endings.end(exchangeId, await ended))
      .catch((error: unknown) => this.#logger.warn(error));
  }

  async #find(hold: Pick<PaymentHold, 'network' | 'asset' | 'payer' | 'nonce'>): Promise<PaymentRow | undefined> {
    return this.#claims.find(hold).catch((error: unknown) => {
      throw asProblem(error);
    });
  }
}

function toHold({ payer, network, payment }: PayerPrincipal, request: PaidRequest, claimedAt: Date): PaymentHold {
  const { authorization, signature, asset, x402Version } = payment;
  return {
    rail: 'x402',
    exchangeId: request.exchangeId,
    network,
    asset: asset.address,
    payer,
    nonce: authorization.nonce,
    amount: authorization.value,
    payTo: authorization.to,
    validAfter: authorization.validAfter,
    validBefore: authorization.validBefore,
    signature,
    accountId: request.account?.accountId ?? null,
    keyId: request.account?.keyId ?? null,
    fingerprint: request.fingerprint,
    claimedAt,
    unusedAtBlock: 0n,
    x402Version,
  };
}
