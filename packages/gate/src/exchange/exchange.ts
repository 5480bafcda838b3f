import { randomUUID } from 'node:crypto';
import type { Hex } from '@keyfare/core/encoding';
import type { PricedTariff, Quote, TermsRecord } from '@keyfare/core/metering';
import type { Principal } from '@keyfare/core/principal';
import type { Problem } from '@keyfare/core/problem';
import type { FastifyReply, FastifyRequest } from 'fastify';
import '../request-slots.js';
import type { CallTrace } from '../call-trace.js';
import type { FreeAllowance, FreeHold } from '../free/hold.js';
import type { KeyHold } from '../meter/hold.js';
import type { PaymentHold } from '../payment/call.js';
import { type Stage, stageIndex } from '../stages.js';
import type { AnswerBytes } from './answer-bytes.js';

/**
 * What is set aside for a call: units of an account, a free call, or a claimed payment. Whoever takes it posts or voids
 * it, once.
 */
export type Hold = KeyHold | FreeHold | PaymentHold;

/** Reply headers by name. */
export type Headers = Readonly<NodeJS.Dict<number | string | string[]>>;

/** The part of an answer that a handler could still reach after it returned. */
export interface Sealed {
  readonly status: number;
  readonly headers: Headers;
}

/** One request on its way through the gate: open, quote, credential, policy, hold, (handler), settle, post. */
export class Exchange {
  /** SHA-256 of the request body (RFC 9530 form), once it was read. */
  requestDigest: string | undefined;
  /** The call is only asked about: nothing may be taken for it, and no handler may run. */
  dryRun: DryRun | undefined;
  tariff: PricedTariff | undefined;
  quote: Quote | undefined;
  principal: Principal | undefined;
  /** What the account behind the key has agreed. */
  terms: TermsRecord | undefined;
  /** An account that pays by wallet for what goes beyond its plan. */
  account: { readonly accountId: string; readonly keyId: string } | undefined;
  /** The transaction that paid for the call before its handler ran (flow `upfront`). */
  upfront: Hex | undefined;
  /** What is asked for, as callers know it. */
  resource: { readonly method: string; readonly url: string } | undefined;
  /** SHA-256 of each name under which the caller may ask for the stored answer again. */
  owners: readonly Buffer[] = [];
  /** The exchange whose stored answer goes out, and is delivered when this response is whole. */
  answerOf: string | undefined;
  /** How the call is paid, once that is known; for the access line. */
  rail: 'none' | 'key' | 'x402' | 'free' = 'none';
  /** What the caller has of the route's free calls, where the gate looked. */
  freeAllowance: FreeAllowance | undefined;
  /** What the guard refused the call with. Whatever a filter of the host's makes of it, this is what leaves. */
  refusal: Problem | undefined;
  /** The headers before the handler ran: what a refusal in its place may carry. */
  headersBefore: Headers | undefined;
  /** When the handler began; undefined while the guard has not let the call through. */
  begunAtMs: number | undefined;
  /** Status and headers as they were signed for: what the handler does to them later does not leave. */
  sealed: Sealed | undefined;
  /** The body of a stored answer that goes out again, with the head in `sealed`: the gate answers by itself. */
  again: string | Buffer | undefined;
  /** The handler's answer is a stream, whose digest is known only when it has left. */
  isStreamed = false;
  /** The answer is decided: nothing that comes later for this exchange leaves. */
  isLeaving = false;
  /** Bytes may go to the socket. */
  mayLeave = false;
  /** The response has closed. */
  isClosed = false;
  receiptId: string | undefined;
  /** The trace that the call belongs to, by the caller's `traceparent` or our own span. */
  traceId: string | undefined;
  /** The spans of the call; undefined where no SDK is registered. */
  trace: CallTrace | undefined;
  /**
   * Milliseconds in each stage, in their order; below 0 where it was not entered. Not whole, so that V8 keeps plain
   * doubles.
   */
  readonly spentMs = [-0.5, -0.5, -0.5, -0.5, -0.5, -0.5, -0.5];
  #stage = -1;
  #stageAtMs = 0;
  #handlerTimer: NodeJS.Timeout | undefined;
  #hold: Hold | undefined;

  constructor(
    /** UUIDv7 (RFC 9562 §5.7): also the id of the receipt and of the entry. */
    readonly id: string,
    readonly openedAt: Date,
    readonly openedAtMs: number,
  ) {}

  /** The stage before ends, and this one begins. A stage may be entered again: its times are added. */
  enter(stage: Stage): void {
    const index = stageIndex[stage];
    if (index === this.#stage) return;
    const nowMs = performance.now();
    this.#count(nowMs);
    this.#stage = index;
    this.#stageAtMs = nowMs;
    this.trace?.enter(stage);
  }

  /** The stage ends. */
  leave(): void {
    if (this.#stage < 0) return;
    this.#count(performance.now());
    this.#stage = -1;
    this.trace?.leave();
  }

  /** Runs work of the call in its trace: what called back may have lost it. */
  run<T>(work: () => T): T {
    return this.trace === undefined ? work() : this.trace.run(work);
  }

  #count(nowMs: number): void {
    if (this.#stage < 0) return;
    this.spentMs[this.#stage] = Math.max(0, this.spentMs[this.#stage] ?? 0) + nowMs - this.#stageAtMs;
  }

  /** Keeps the hold until somebody takes it. */
  keep(hold: Hold): void {
    this.#hold = hold;
  }

  /** Calls `onLate` when the hold is still here after so long: the handler has taken too much time. */
  limit(timeoutMs: number, onLate: () => void): void {
    this.#handlerTimer = setTimeout(onLate, timeoutMs);
  }

  /** The hold, for the first who asks: the way out, the end of the handler's time, or the closed connection. */
  take(): Hold | undefined {
    const hold = this.#hold;
    this.#hold = undefined;
    if (this.#handlerTimer !== undefined) clearTimeout(this.#handlerTimer);
    this.#handlerTimer = undefined;
    return hold;
  }
}

/** What a dry run found: a request that goes the way in of a call and no further. */
export interface DryRun {
  /** Opened when the request reached a priced route; undefined where nothing is sold. */
  exchange: Exchange | undefined;
  /** Where the handler would have run, or a stored answer would have left: how the call would be paid. */
  passed: { readonly rail: 'key' | 'x402' | 'free'; readonly isReplay: boolean } | undefined;
}

/** A request and its reply on the way in. */
export interface Entering {
  readonly exchange: Exchange;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** A call whose answer is known, on its way to be settled and posted. */
export interface Leaving extends Entering {
  readonly answer: AnswerBytes;
}

/** The exchange of a request. Throws where the gate's hooks are not installed, which is a bug. */
export function exchangeOf(request: FastifyRequest): Exchange {
  if (request.keyfare === null || request.keyfare === undefined) throw new Error('the exchange was not opened');
  return request.keyfare as Exchange;
}

let prefixOf = -1;
let prefix = '';

/** A UUIDv7 (RFC 9562 §5.7): the time, and the random bits of a version 4, which Node draws in pools. */
export function newExchangeId(now: Date): string {
  const at = now.getTime();
  // Hexadecimal of more than 32 bits is slow, and under load a millisecond has many calls.
  if (at !== prefixOf) {
    const time = at.toString(16).padStart(12, '0');
    prefixOf = at;
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }
  return prefix + randomUUID().slice(15);
}
