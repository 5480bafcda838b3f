import { isProblem, Problem, type ProblemCode } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import '../request-slots.js';
import { isServerError, toHostProblem } from './host-problem.js';
import { answerProblem, instanceOf, type ProblemAnswer } from './problem-answer.js';
import { targetFault } from './request-target.js';
import { RouteTable } from './route-table.js';

/** What the server layer's own refusals mean; what a host says with the same statuses means something else. */
const byStatus: ReadonlyMap<number, ProblemCode> = new Map<number, ProblemCode>([
  [400, 'request/malformed'],
  [404, 'request/not-found'],
  [405, 'request/method-not-allowed'],
  [413, 'request/too-large'],
  [414, 'request/uri-too-long'],
  [415, 'request/unsupported-media-type'],
  [431, 'request/header-too-large'],
  [503, 'service/overloaded'],
]);

/**
 * The one place where an error becomes a response: an RFC 9457 problem. A `Problem` of ours has a stable code and shows
 * nothing of its cause; a host's `HttpException` is passed on as it is; anything else is a fault of ours, 500.
 */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Problem');

  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    // The gate has answered, or is about to: what a handler throws after its time is over goes nowhere.
    if (request.keyfare?.isLeaving === true) return;
    const problem = this.#problemIn(error, request);
    const said = problem === null && error instanceof HttpException ? hostAnswer(error, request) : null;
    const answer =
      said ?? answerProblem(problem ?? new Problem('service/internal', undefined, { cause: error }), request);
    if (answer.status >= 500) {
      this.#logger.error({ err: problem?.cause ?? error, code: request.problemCode, exchange: request.keyfare?.id });
    }
    // Headers are out: all that is left is to end the connection, which tells the caller that the body is not whole.
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    // They described a body of the handler's.
    void reply.removeHeader('content-encoding').removeHeader('content-length');
    void reply.status(answer.status).headers(answer.headers).send(answer.body);
  }

  #problemIn(error: unknown, request: FastifyRequest): Problem | null {
    const known = asProblem(error);
    return isProblem(known) ? known : this.#problemOf(error, request);
  }

  /** What the server layer refused, in our words; null for what others threw. */
  #problemOf(error: unknown, request: FastifyRequest): Problem | null {
    if (error instanceof HttpException && request.is404 && error.getStatus() === 404) return this.#notFound(request);
    if (error instanceof HttpException && !isServerError(error.cause)) return invalid(error);
    const own = error instanceof HttpException ? error.cause : error;
    const code = isServerError(own) ? byStatus.get(own.statusCode) : undefined;
    return code === undefined ? null : new Problem(code, undefined, { cause: error });
  }

  /** The address may be right and the method wrong (RFC 9110 §15.5.6). */
  #notFound(request: FastifyRequest): Problem {
    const fault = targetFault(request.raw.url, request.originalUrl);
    if (fault === 'request/uri-too-long') return new Problem(fault, 'A part of the path is too long.');
    if (fault !== null) {
      return new Problem(
        fault,
        'The request must have a Host, and a target that starts with / and decodes, without NUL and #.',
      );
    }
    const allowed = this.routes.methodsAt(request.raw.url ?? '/');
    if (allowed.length === 0 || allowed.includes(request.method)) return new Problem('request/not-found');
    return new Problem('request/method-not-allowed', undefined, { headers: { allow: allowed.join(', ') } });
  }
}

/** What the host says with an `HttpException`; null for one whose status is no error. */
function hostAnswer(error: HttpException, request: FastifyRequest): ProblemAnswer | null {
  const document = toHostProblem(error, instanceOf(request));
  if (document === null) return null;
  const headers = { 'cache-control': 'no-store', 'content-type': 'application/problem+json' };
  return { status: error.getStatus(), headers, body: JSON.stringify(document) };
}

/** The messages of Nest's validation pipes name the members that are wrong; they are the caller's own. */
function invalid(error: HttpException): Problem | null {
  const response = error.getResponse();
  const message = typeof response === 'object' && 'message' in response ? response.message : undefined;
  if (error.getStatus() !== 400 || !Array.isArray(message)) return null;
  return new Problem('request/invalid', undefined, { cause: error, extensions: { errors: message } });
}
