import { isProblem, Problem, type ProblemCode, toProblemDocument } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import '../request-slots.js';
import { isServerError, toHostProblem } from './host-problem.js';
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
    const id = request.keyfare?.id;
    const { status, document, problem } = this.#answerTo(error, request);
    if (problem !== undefined) request.problemCode = problem.code;
    if (status >= 500) this.#logger.error({ err: problem?.cause ?? error, code: problem?.code, exchange: id });
    // Headers are out: all that is left is to end the connection, which tells the caller that the body is not whole.
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    void reply
      .status(status)
      .headers({ 'cache-control': 'no-store', ...problem?.headers })
      .type('application/problem+json')
      .send(JSON.stringify(document));
  }

  #answerTo(error: unknown, request: FastifyRequest): Answer {
    const instance =
      request.keyfare === null || request.keyfare === undefined ? undefined : `urn:uuid:${request.keyfare.id}`;
    const known = asProblem(error);
    const problem = isProblem(known) ? known : this.#problemOf(error, request);
    if (problem === null && error instanceof HttpException) {
      const document = toHostProblem(error, instance);
      if (document !== null) return { status: error.getStatus(), document };
    }
    return answerWith(problem ?? new Problem('service/internal', undefined, { cause: error }), instance);
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
    const allowed = this.routes.methodsAt(request.raw.url ?? '/');
    if (allowed.length === 0 || allowed.includes(request.method)) return new Problem('request/not-found');
    return new Problem('request/method-not-allowed', undefined, { headers: { allow: allowed.join(', ') } });
  }
}

interface Answer {
  readonly status: number;
  readonly document: object;
  readonly problem?: Problem;
}

function answerWith(problem: Problem, instance: string | undefined): Answer {
  const document = toProblemDocument(problem, {
    typeBase: '/problems/',
    ...(instance === undefined ? {} : { instance }),
  });
  return { status: problem.status, document, problem };
}

/** The messages of Nest's validation pipes name the members that are wrong; they are the caller's own. */
function invalid(error: HttpException): Problem | null {
  const response = error.getResponse();
  const message = typeof response === 'object' && 'message' in response ? response.message : undefined;
  if (error.getStatus() !== 400 || !Array.isArray(message)) return null;
  return new Problem('request/invalid', undefined, { cause: error, extensions: { errors: message } });
}
