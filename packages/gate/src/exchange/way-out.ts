import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isProblem, Problem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify';
import { AnswerService } from '../answer/answer.service.js';
import { GateConfig } from '../config.js';
import { asksBeforeCall } from '../server/cors.js';
import { answerProblem } from '../server/problem-answer.js';
import { withTimeout } from '../with-timeout.js';
import { type AnswerBytes, isResponse, isStream, readAnswer, readResponse } from './answer-bytes.js';
import { type Entering, type Exchange, exchangeOf, type Hold, type Leaving } from './exchange.js';
import { FreePosts } from './free-posts.js';
import { Holds } from './holds.js';
import { KeyPosts } from './key-posts.js';
import { PaidPosts } from './paid-posts.js';
import { lockRaw } from './raw-lock.js';
import { discard, headersOfPlugins, keepSealed, restoreHeaders } from './reply-headers.js';

type Done = (error?: Error | null, payload?: unknown) => void;

/**
 * The way out of a priced route: the last of its `onSend` hooks, after everything of Nest's and of the host's, where
 * status, headers and bytes are final. An answer below 400 leaves only when it was posted; a refusal in its place
 * carries nothing of it; a hold ends here, when the handler's time is over, or when the connection closes.
 */
@Injectable()
export class WayOut {
  readonly #logger = new Logger('Gate');
  /** Set when the server begins to close. */
  isClosing = false;

  constructor(
    private readonly config: GateConfig,
    private readonly holds: Holds,
    private readonly keyPosts: KeyPosts,
    private readonly paidPosts: PaidPosts,
    private readonly freePosts: FreePosts,
    private readonly answers: AnswerService,
  ) {}

  /** The guard let the call through: from here the handler's time runs, and nothing leaves but through the hook. */
  begin(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    exchange.headersBefore = reply.getHeaders();
    exchange.begunAtMs = performance.now();
    exchange.enter('handler');
    exchange.limit(this.config.handlerTimeoutMs, () => this.#endLate(exchange, request, reply));
    lockRaw(reply, exchange, () => this.#endRaw(exchange, request, reply));
  }

  /** The first of the `onSend` hooks: sees what the handler returned before a plugin encodes it. */
  readonly enter: onSendHookHandler = (request, reply, payload, done) => {
    if (isResponse(payload)) void this.#unpack(payload, reply, done);
    else {
      if (isStream(payload)) exchangeOf(request).isStreamed = true;
      done(null, payload);
    }
  };

  /** The last of the `onSend` hooks. */
  readonly leave: onSendHookHandler = (request, reply, payload, done) => {
    const exchange = exchangeOf(request);
    // A second answer to one request: the first one's fate is decided, and this one goes nowhere.
    if (exchange.isLeaving) return;
    exchange.isLeaving = true;
    exchange.leave();
    const hold = exchange.take();
    const pass = done;
    if (exchange.again !== undefined && exchange.sealed !== undefined) {
      discard(payload);
      keepSealed(reply, exchange.sealed);
      exchange.mayLeave = true;
      pass(null, exchange.again);
    } else if (isPreflight(exchange, request, payload)) {
      exchange.mayLeave = true;
      pass(null, payload);
    } else if (exchange.refusal !== undefined) this.#refuseAgain(exchange.refusal, { request, reply, payload, pass });
    else if (reply.raw.statusCode >= 400) this.#letRefusalOut({ exchange, hold, payload, pass });
    else this.#serve({ exchange, request, reply }, { hold, payload, pass });
  };

  /**
   * The response has closed: a hold that nobody took is given up, and a stored answer that arrived is not kept for a
   * retry.
   */
  close(exchange: Exchange, isWhole: boolean): void {
    exchange.isClosed = true;
    const hold = exchange.take();
    if (hold !== undefined) void this.holds.void(exchange, hold, 'caller-gone');
    if (isWhole && exchange.answerOf !== undefined) this.answers.delivered(exchange.answerOf);
  }

  #letRefusalOut({ exchange, hold, payload, pass }: Refusing): void {
    const out = (): void => {
      exchange.mayLeave = true;
      pass(null, payload);
    };
    const ended = hold === undefined ? undefined : this.holds.void(exchange, hold, 'handler-refused');
    if (ended === undefined) out();
    else void ended.then(out);
  }

  /** What a filter of the host's made of the guard's refusal does not count, unless it is the gate's own. */
  #refuseAgain(refusal: Problem, { request, reply, payload, pass }: Replacing): void {
    const exchange = exchangeOf(request);
    const isOwn = request.problemCode === refusal.code && reply.raw.statusCode === refusal.status;
    if (isOwn && exchange.begunAtMs === undefined) {
      exchange.mayLeave = true;
      pass(null, payload);
    } else this.#replace(refusal, { request, reply, payload, pass });
  }

  #serve(call: Entering, { hold, payload, pass }: Serving): void {
    const { exchange, request, reply } = call;
    const refuse = (error: unknown): void => this.#replace(error, { request, reply, payload, pass });
    if (hold === undefined) {
      refuse(exchange.isClosed ? new Problem('request/malformed') : new Problem('answer/unposted'));
      return;
    }
    const giveUp = (reason: unknown): void => {
      const ended = this.holds.void(exchange, hold, 'handler-failed');
      if (ended === undefined) refuse(reason);
      else void ended.then(() => refuse(reason));
    };
    const post = (answer: AnswerBytes): void => {
      void this.#postThen({ ...call, answer }, { hold, pass, refuse });
    };
    try {
      this.#checkSendable(exchange, reply);
      const answer = readAnswer(reply, payload);
      if (answer instanceof Promise) this.#inTime(exchange, answer).then(post, giveUp);
      else post(answer);
    } catch (error) {
      giveUp(error);
    }
  }

  async #postThen(
    call: Leaving,
    { hold, pass, refuse }: { hold: Hold; pass: Done; refuse: (error: unknown) => void },
  ): Promise<void> {
    try {
      // The answer of a payment that is settled last is stored before: that is a part of settling.
      call.exchange.enter(hold.rail === 'x402' && hold.flow === 'authorization' ? 'settle' : 'post');
      await call.exchange.run(() => this.#post(call, hold));
    } catch (error) {
      refuse(error);
      return;
    }
    this.#send(call, call.answer, pass);
  }

  /** A plugin may have made a stream of the answer that never ends: reading it is part of the handler's time. */
  #inTime<T>({ begunAtMs }: Exchange, reading: Promise<T>): Promise<T> {
    const left = this.config.handlerTimeoutMs - (performance.now() - (begunAtMs ?? 0));
    return withTimeout(reading, Math.max(1, left), () => new Problem('service/timeout'));
  }

  /** The answer was posted. What Node refuses to write even so must not end the process: the connection breaks. */
  #send({ exchange, reply }: Entering, answer: AnswerBytes, pass: Done): void {
    exchange.leave();
    exchange.mayLeave = true;
    this.#endConnection(reply);
    try {
      pass(null, answer.sent);
    } catch (error) {
      this.#logger.error({ err: error, exchange: exchange.id });
      reply.raw.destroy();
    }
  }

  #post(call: Leaving, hold: Hold): Promise<void> {
    if (hold.rail === 'key') return this.keyPosts.post(call, hold);
    return hold.rail === 'free' ? this.freePosts.post(call, hold) : this.paidPosts.post(call, hold);
  }

  /** After the post nothing may fail any more: what Node would not write is refused before it. */
  #checkSendable(exchange: Exchange, reply: FastifyReply): void {
    if (exchange.isStreamed) throw new Problem('answer/streamed');
    if (reply.raw.statusCode < 200)
      throw new Problem('answer/unsendable', 'The handler answered with an interim status.');
    const headers = reply.getHeaders();
    exchange.sealed = { status: reply.raw.statusCode, headers };
    if (headers['transfer-encoding'] !== undefined) {
      throw new Problem('answer/unsendable', 'The handler set Transfer-Encoding, which belongs to the connection.');
    }
    if (Array.isArray(headers['content-type'])) {
      throw new Problem('answer/unsendable', 'The handler gave its answer several types.');
    }
    try {
      validateHeaderValue('reason', reply.raw.statusMessage ?? '');
    } catch (cause) {
      throw new Problem('answer/unsendable', 'The reason phrase of the answer cannot be sent.', { cause });
    }
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || value === exchange.headersBefore?.[name]) continue;
      try {
        validateHeaderName(name);
        for (const text of Array.isArray(value) ? value : [value]) validateHeaderValue(name, `${text}`);
      } catch (cause) {
        throw new Problem('answer/unsendable', `The header ${name} has a value that cannot be sent.`, { cause });
      }
    }
  }

  /**
   * Puts a refusal in the place of the answer: its status, and no header or byte that the handler or a plugin added.
   */
  #replace(error: unknown, { request, reply, payload, pass }: Replacing): void {
    const exchange = exchangeOf(request);
    const known = asProblem(error);
    const problem = isProblem(known) ? known : new Problem('service/internal', undefined, { cause: error });
    if (problem.status >= 500) {
      this.#logger.error({ err: problem.cause ?? problem, code: problem.code, exchange: exchange.id });
    }
    exchange.leave();
    discard(payload);
    restoreHeaders(reply, exchange.headersBefore ?? headersOfPlugins(reply));
    const { status, headers, body } = answerProblem(problem, request);
    reply.status(status).headers(headers);
    exchange.mayLeave = true;
    this.#endConnection(reply);
    pass(null, body);
  }

  /** The server began to close while the answer was being posted: a kept connection would hold it open. */
  #endConnection(reply: FastifyReply): void {
    if (this.isClosing) void reply.header('connection', 'close');
  }

  /** The handler's time is over. What it returns later finds the exchange refused and goes nowhere. */
  #endLate(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    this.#endEarly(new Problem('service/timeout'), { exchange, request, reply });
  }

  /** The handler wrote to the raw response: nothing of it left, and what it returns goes nowhere. */
  #endRaw(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    const detail = 'The handler wrote to the raw response, or took it over; a priced route must return its answer.';
    this.#endEarly(new Problem('answer/unsendable', detail), { exchange, request, reply });
  }

  /**
   * Answers in the place of a handler that is still running. An answer of its own that comes first is refused alike.
   */
  #endEarly(problem: Problem, { exchange, request, reply }: Entering): void {
    const hold = exchange.take();
    if (hold === undefined) return;
    exchange.refusal = problem;
    const ended = this.holds.void(exchange, hold, 'handler-failed');
    const answer = (): void => {
      if (exchange.isLeaving || exchange.isClosed) return;
      const { status, headers, body } = answerProblem(problem, request);
      restoreHeaders(reply, exchange.headersBefore);
      reply.status(status).headers(headers).send(body);
    };
    if (ended === undefined) answer();
    else void ended.then(answer);
  }

  /** Takes a `Response` of the Fetch standard apart as Fastify would, so that its bytes are known before they leave. */
  async #unpack(response: Response, reply: FastifyReply, done: Done): Promise<void> {
    try {
      const body = await readResponse(response);
      reply.code(response.status);
      for (const [name, value] of response.headers) reply.header(name, value);
      done(null, body);
    } catch (error) {
      done(error as Error);
    }
  }
}

interface Passing {
  readonly payload: unknown;
  readonly pass: Done;
}
interface Serving extends Passing {
  readonly hold: Hold | undefined;
}
interface Refusing extends Serving {
  readonly exchange: Exchange;
}
interface Replacing extends Passing {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/**
 * A browser's question before the call (Fetch standard §3.3), answered by the CORS plugin: no guard or handler ran for
 * it.
 */
function isPreflight({ tariff }: Exchange, request: FastifyRequest, payload: unknown): boolean {
  if (tariff !== undefined || !asksBeforeCall(request)) return false;
  return payload === undefined || payload === null || payload === '';
}
