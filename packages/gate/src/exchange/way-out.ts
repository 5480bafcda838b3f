import { validateHeaderValue } from 'node:http';
import { isProblem, Problem } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest, onSendHookHandler } from 'fastify';
import { AnswerService } from '../answer/answer.service.js';
import { GateConfig } from '../config.js';
import { GatedResponse } from '../server/gated-response.js';
import { answerProblem } from '../server/problem-answer.js';
import { type AnswerBytes, isResponse, isStream, readAnswer, readResponse } from './answer-bytes.js';
import { type Entering, type Exchange, exchangeOf, type Headers, type Hold, type Leaving } from './exchange.js';
import { Holds } from './holds.js';
import { KeyPosts } from './key-posts.js';
import { PaidPosts } from './paid-posts.js';

type Done = (error?: Error | null, payload?: unknown) => void;

/**
 * The way out of a priced route: the last of its `onSend` hooks, after everything of Nest's and of the host's, where
 * status, headers and bytes are final. An answer below 400 leaves only when it was posted; a refusal in its place carries
 * nothing of it; a hold ends here, when the handler's time is over, or when the connection closes.
 */
@Injectable()
export class WayOut {
  readonly #logger = new Logger('Gate');

  constructor(
    private readonly config: GateConfig,
    private readonly holds: Holds,
    private readonly keyPosts: KeyPosts,
    private readonly paidPosts: PaidPosts,
    private readonly answers: AnswerService,
  ) {}

  /** The guard let the call through: from here the handler's time runs, and nothing leaves but through the hook. */
  begin(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    exchange.headersBefore = reply.getHeaders();
    exchange.limit(this.config.handlerTimeoutMs, () => this.#endLate(exchange, request, reply));
    lock(reply, exchange);
  }

  /** The first of the `onSend` hooks: sees what the handler returned before a plugin encodes it. */
  readonly enter: onSendHookHandler = (request, reply, payload, done) => {
    if (isResponse(payload)) void this.#unpack(payload, reply, done as Done);
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
    const hold = exchange.take();
    const pass = done as Done;
    if (exchange.answersItself) {
      exchange.mayLeave = true;
      pass(null, payload);
    } else if (exchange.refusal !== undefined) this.#refuseAgain(exchange.refusal, { request, reply, payload, pass });
    else if (reply.raw.statusCode >= 400) this.#letRefusalOut({ exchange, hold, payload, pass });
    else this.#serve({ exchange, request, reply }, { hold, payload, pass });
  };

  /** The response has closed: a hold that nobody took is given up, and a stored answer that arrived is not kept for a retry. */
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
    if (request.problemCode === refusal.code && reply.raw.statusCode === refusal.status) {
      exchangeOf(request).mayLeave = true;
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
    const giveUp = (error: unknown): void => {
      const ended = this.holds.void(exchange, hold, 'handler-failed');
      if (ended === undefined) refuse(error);
      else void ended.then(() => refuse(error));
    };
    const post = (answer: AnswerBytes): void => {
      this.#post({ ...call, answer }, hold).then(() => {
        exchange.mayLeave = true;
        pass(null, answer.sent);
      }, refuse);
    };
    try {
      this.#checkSendable(exchange, reply);
      const answer = readAnswer(reply, payload);
      if (answer instanceof Promise) answer.then(post, giveUp);
      else post(answer);
    } catch (error) {
      giveUp(error);
    }
  }

  #post(call: Leaving, hold: Hold): Promise<void> {
    return hold.rail === 'key' ? this.keyPosts.post(call, hold) : this.paidPosts.post(call, hold);
  }

  /** After the post nothing may fail any more: what Node would not write is refused before it. */
  #checkSendable(exchange: Exchange, reply: FastifyReply): void {
    if (exchange.isStreamed) throw new Problem('answer/streamed');
    if (reply.raw.statusCode < 200)
      throw new Problem('answer/unsendable', 'The handler answered with an interim status.');
    const headers = reply.getHeaders();
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || value === exchange.headersBefore?.[name]) continue;
      try {
        for (const text of Array.isArray(value) ? value : [value]) validateHeaderValue(name, String(text));
      } catch (cause) {
        throw new Problem('answer/unsendable', `The header ${name} has a value that cannot be sent.`, { cause });
      }
    }
  }

  /** Puts a refusal in the place of the answer: its status, and no header or byte that the handler or a plugin added. */
  #replace(error: unknown, { request, reply, payload, pass }: Replacing): void {
    const exchange = exchangeOf(request);
    const known = asProblem(error);
    const problem = isProblem(known) ? known : new Problem('service/internal', undefined, { cause: error });
    if (problem.status >= 500) {
      this.#logger.error({ err: problem.cause ?? problem, code: problem.code, exchange: exchange.id });
    }
    if (isStream(payload)) payload.destroy?.();
    restoreHeaders(reply, exchange.headersBefore);
    const { status, headers, body } = answerProblem(problem, request);
    reply.status(status).headers(headers);
    exchange.mayLeave = true;
    pass(null, body);
  }

  /** The handler's time is over. What it returns later finds the exchange answered and goes nowhere. */
  #endLate(exchange: Exchange, request: FastifyRequest, reply: FastifyReply): void {
    const hold = exchange.take();
    if (hold === undefined || exchange.isLeaving || reply.sent) return;
    exchange.answersItself = true;
    const ended = this.holds.void(exchange, hold, 'handler-failed');
    const answer = (): void => {
      restoreHeaders(reply, exchange.headersBefore);
      const { status, headers, body } = answerProblem(new Problem('service/timeout'), request);
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

/** Headers, trailers and the rest are as they were when the handler began. */
function restoreHeaders(reply: FastifyReply, before: Headers | undefined): void {
  for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
  for (const [name, value] of Object.entries(before ?? {})) if (value !== undefined) reply.header(name, value);
  for (const slot of Object.getOwnPropertySymbols(reply)) {
    if (slot.description === 'fastify.reply.trailers') Object.assign(reply, { [slot]: null });
  }
}

/**
 * A handler that writes to the raw response, or sends early hints, passes the hook by. Both end here: `writeHead` is what
 * every first byte of Node's response goes through, and an interim response would show headers before the money is sure.
 */
function lock({ raw }: FastifyReply, exchange: Exchange): void {
  if (raw instanceof GatedResponse) {
    raw.gate = exchange;
    return;
  }
  // A host with an adapter of its own.
  const writeHead = raw.writeHead.bind(raw);
  raw.writeHead = ((...args: Parameters<typeof writeHead>) => {
    if (exchange.mayLeave) return writeHead(...args);
    throw new TypeError('a priced route must return its answer: it wrote to the raw response');
  }) as typeof raw.writeHead;
  raw.writeEarlyHints = () => undefined;
}
