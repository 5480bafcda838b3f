import type { Hex } from '@keyfare/core/encoding';
import type { Quote } from '@keyfare/core/metering';
import type { PayerPrincipal } from '@keyfare/core/principal';
import { Problem, type ProblemCode } from '@keyfare/core/problem';
import { type Address, checkTerms, formatPaymentRequired, type PaymentTerms } from '@keyfare/core/x402';
import { asProblem, type Sql, SqlPool } from '@keyfare/db/sql';
import { type Chain, ChainUnavailable } from '@keyfare/evm/chain';
import type { SettlerWallet } from '@keyfare/evm/settler';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { evmChain, settlerWallet } from '../tokens.js';
import { within } from '../within.js';
import type { PaidCall, PaymentHold, PaymentOutcome } from './call.js';
import { Claims } from './claims.js';
import { holdOf, type PaymentRow } from './payment-row.js';
import { Submissions } from './submissions.js';
import { Watcher } from './watcher.js';

/** The request that a payment is presented with. */
export interface PaidRequest {
  readonly exchangeId: string;
  readonly terms: PaymentTerms;
  readonly fingerprint: Buffer;
  /** Where an account pays beyond its plan. */
  readonly account: { readonly accountId: string; readonly keyId: string } | null;
}

/** A payment that was served before: its answer, to be given again. */
export interface Replay {
  readonly rail: 'replay';
  readonly exchangeId: string;
  readonly call: PaidCall;
  readonly body: Buffer;
  readonly transaction: Hex;
  readonly payer: Address;
  readonly amount: bigint;
}

/** What a payment's end is posted with; the corridor opens that transaction. */
export type EndPayment = (row: PaymentRow, outcome: PaymentOutcome) => Promise<void>;

/** Claims, verifies, submits and follows payments: everything between a signed authorisation and its end. */
@Injectable()
export class PaymentService {
  readonly #claims: Claims;
  readonly #submissions: Submissions;
  readonly #watcher: Watcher;
  readonly #logger = new Logger('Payment');
  #end: EndPayment = () => Promise.reject(new Error('nobody ends payments yet'));

  constructor(
    private readonly config: GateConfig,
    sql: SqlPool,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(settlerWallet) wallet: SettlerWallet,
    replica: ReplicaId,
  ) {
    this.#claims = new Claims(sql, replica.id, config.clock);
    this.#submissions = new Submissions(sql, chain, wallet, {
      network: config.network.caip2,
      replicaId: replica.id,
      now: config.clock,
    });
    this.#watcher = new Watcher({
      chain,
      submissions: this.#submissions,
      now: config.clock,
      firstPollMs: 25,
      longestPollMs: 1_000,
      rebroadcastAfterMs: 2_000,
      replaceAfterMs: config.replaceAfterMs,
      onTrouble: (error) => this.#logger.warn(error),
    });
  }

  /** Names who posts the ends of payments that no caller waits for. */
  onEnd(end: EndPayment): void {
    this.#end = end;
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

  /** A 402 with the offer for both versions of x402: a header for the second, members of the body for the first. */
  challenge(terms: PaymentTerms, code: ProblemCode, detail?: string, headers: Record<string, string> = {}): Problem {
    const { header, v1 } = formatPaymentRequired(terms, { error: detail ?? code });
    return new Problem(code, detail, {
      extensions: { ...v1 },
      headers: { 'payment-required': header, 'cache-control': 'no-store', ...headers },
    });
  }

  /**
   * Makes a proven payment this exchange's own, or answers with what became of it before. Refuses with a 402 challenge,
   * 409 `payment/in-progress`, or 503. After any refusal nothing is claimed.
   */
  async hold(payer: PayerPrincipal, request: PaidRequest): Promise<PaymentHold | Replay> {
    const hold = toHold(payer, request, this.config.clock());
    const verdict = checkTerms({
      authorization: payer.payment.authorization,
      terms: request.terms,
      now: this.config.clock(),
    });
    if (!verdict.ok) {
      // The offer or the time may have changed since this payment was served: that it was served comes first.
      const row = await this.#find(hold);
      if (row === undefined) throw this.challenge(request.terms, verdict.code, verdict.detail);
      return this.#answerKnown(row, request);
    }
    if (this.#watcher.refused)
      throw new Problem('service/chain-unavailable', 'Settlements are not taken at the moment.');
    for (let attempt = 0; ; attempt += 1) {
      const claim = await this.#claims.claim(hold).catch((error: unknown) => {
        this.void(hold);
        throw asProblem(error);
      });
      if (claim.won) {
        await this.#verifyOnChain(hold, claim.open, request.terms);
        return hold;
      }
      const row = await this.#find(hold);
      if (row === undefined && attempt < 3) continue;
      if (row === undefined) throw new Problem('payment/in-progress', undefined, { headers: { 'retry-after': '1' } });
      if (row.state !== 'claimed' || row.owner_alive) return this.#answerKnown(row, request);
      // Its process died before anything was submitted: the next sweep frees it.
      throw new Problem('payment/in-progress', undefined, { headers: { 'retry-after': '2' } });
    }
  }

  /** Gives a hold up: the payment was not used and may be presented again. */
  void(hold: PaymentHold): void {
    void this.#claims.release(hold.exchangeId);
  }

  /**
   * Submits the payment of a served call and waits for the chain, within the bound. Throws 503
   * `payment/outcome-unknown` when the bound passes: the money may move, so the caller must come back with the same
   * payment.
   */
  async settle(hold: PaymentHold, call: PaidCall, body: Buffer, terms: PaymentTerms): Promise<PaymentOutcome> {
    const nowMs = this.config.clock().getTime();
    // The contract wants the block's time to be before validBefore; a block's length must be left.
    if (Number(hold.validBefore) * 1_000 < nowMs + 3_000) {
      this.void(hold);
      throw this.challenge(terms, 'payment/expired', 'The authorization ran out while the call was being served.');
    }
    const waitingUntil = new Date(nowMs + this.config.settleTimeoutMs);
    const transaction = await this.#submissions.submit({ hold, call, body, waitingUntil }).catch((error: unknown) => {
      this.void(hold);
      throw toProblem(error);
    });
    if (transaction === null) throw outcomeUnknown();
    const outcome = this.#watcher.watch(hold, [transaction]);
    return within(outcome, this.config.settleTimeoutMs, () => {
      void outcome.then((known) => this.#endAlone(hold.exchangeId, known));
      return outcomeUnknown();
    });
  }

  /** Frees what dead processes claimed and takes over what they submitted, within the caller's transaction. */
  async sweep(tx: Sql, deadReplicas: readonly string[]): Promise<readonly string[]> {
    return this.#claims.sweep(tx, deadReplicas);
  }

  /** Follows payments that no caller waits for, to their end. */
  async follow(exchangeIds: readonly string[]): Promise<void> {
    if (exchangeIds.length === 0) return;
    const rows = await this.#claims.findByExchange(exchangeIds);
    const transactions = await this.#submissions.find(exchangeIds);
    for (const row of rows) {
      const outcome = this.#watcher.watch(holdOf(row), transactions.get(row.exchange_id) ?? []);
      void outcome.then((known) => this.#endAlone(row.exchange_id, known));
    }
  }

  /** Sends again what the chain lost, once it answers. Rejects with `ChainUnavailable` until then. */
  async openWallet(): Promise<void> {
    await this.#submissions.open();
  }

  async close(): Promise<void> {
    await this.#claims.close();
    await this.#submissions.close();
    await this.#watcher.close();
  }

  async #verifyOnChain(hold: PaymentHold, open: bigint, terms: PaymentTerms): Promise<void> {
    try {
      const { balance, authorizationUsed } = await this.chain.readPayer({
        asset: hold.asset,
        payer: hold.payer,
        nonce: hold.nonce,
      });
      if (authorizationUsed) throw this.challenge(terms, 'payment/already-used');
      if (balance < open) throw this.challenge(terms, 'payment/insufficient-funds');
    } catch (error) {
      this.void(hold);
      throw toProblem(error);
    }
  }

  async #find(hold: PaymentHold): Promise<PaymentRow | undefined> {
    return this.#claims.find(hold).catch(rethrow);
  }

  async #answerKnown(row: PaymentRow, request: PaidRequest): Promise<Replay> {
    if (!row.fingerprint.equals(request.fingerprint)) throw this.challenge(request.terms, 'payment/replayed');
    if (row.state === 'claimed' || (row.state === 'submitted' && row.waiting)) {
      throw new Problem('payment/in-progress', undefined, { headers: { 'retry-after': '1' } });
    }
    if (row.state === 'failed') {
      const detail = `The settlement failed: ${row.failure ?? 'no reason is known'}.`;
      throw this.challenge(request.terms, 'payment/failed', detail);
    }
    if (row.state === 'submitted' || row.call === null || row.transaction === null) throw outcomeUnknown();
    return {
      rail: 'replay',
      exchangeId: row.exchange_id,
      call: row.call,
      body: row.response_body ?? Buffer.alloc(0),
      transaction: row.transaction,
      payer: row.payer,
      amount: BigInt(row.amount),
    };
  }

  /** Posts an end that nobody waits for; tried until the database takes it. */
  async #endAlone(exchangeId: string, outcome: PaymentOutcome): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        const [row] = await this.#claims.findByExchange([exchangeId]);
        if (row !== undefined && row.state === 'submitted') await this.#end(row, outcome);
        return;
      } catch (error) {
        this.#logger.warn(error);
        await new Promise((wake) => setTimeout(wake, pauseMs).unref());
      }
    }
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
    x402Version,
  };
}

/** Never a fresh 402 while money may have moved. */
function outcomeUnknown(): Problem {
  return new Problem('payment/outcome-unknown', undefined, { headers: { 'retry-after': '5' } });
}

function toProblem(error: unknown): unknown {
  if (error instanceof ChainUnavailable) return new Problem('service/chain-unavailable', undefined, { cause: error });
  return asProblem(error);
}

function rethrow(error: unknown): never {
  throw asProblem(error);
}
