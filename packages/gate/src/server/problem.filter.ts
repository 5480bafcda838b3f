import { isProblem, Problem, type ProblemCode, toProblemDocument } from '@keyfare/core/problem';
import { asProblem } from '@keyfare/db/sql';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import '../request-slots.js';
import { RouteTable } from './route-table.js';

const byStatus: ReadonlyMap<number, ProblemCode> = new Map<number, ProblemCode>([
  [400, 'request/malformed'],
  [401, 'credential/required'],
  [403, 'policy/forbidden'],
  [404, 'request/not-found'],
  [405, 'request/method-not-allowed'],
  [413, 'request/too-large'],
  [414, 'request/uri-too-long'],
  [415, 'request/unsupported-media-type'],
  [431, 'request/header-too-large'],
  [503, 'service/overloaded'],
]);

/** The one place where an error becomes a response: an RFC 9457 problem, with a stable code and nothing of its cause. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Problem');

  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const problem = this.#problemOf(error, request);
    request.problemCode = problem.code;
    const id = request.keyfare?.id;
    if (problem.status >= 500) this.#logger.error({ err: problem.cause ?? problem, code: problem.code, exchange: id });
    // Headers are out: all that is left is to end the connection, which tells the caller that the body is not whole.
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    const document = toProblemDocument(problem, {
      typeBase: '/problems/',
      ...(id === undefined ? {} : { instance: `urn:uuid:${id}` }),
    });
    void reply
      .status(problem.status)
      .headers({ 'cache-control': 'no-store', ...problem.headers })
      .type('application/problem+json')
      .send(JSON.stringify(document));
  }

  #problemOf(error: unknown, request: FastifyRequest): Problem {
    const known = asProblem(error);
    if (isProblem(known)) return known;
    const status = statusOf(error);
    if (status === 404) return this.#notFound(request);
    if (status === 400 && error instanceof HttpException) return invalid(error);
    const code = status === undefined ? undefined : byStatus.get(status);
    if (code === undefined) return new Problem('service/internal', undefined, { cause: error });
    return new Problem(code, undefined, { cause: error });
  }

  /** The address may be right and the method wrong (RFC 9110 §15.5.6). */
  #notFound(request: FastifyRequest): Problem {
    const allowed = this.routes.methodsAt(request.raw.url ?? '/');
    if (allowed.length === 0 || allowed.includes(request.method)) return new Problem('request/not-found');
    return new Problem('request/method-not-allowed', undefined, { headers: { allow: allowed.join(', ') } });
  }
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** The messages of Nest's validation pipe name the members that are wrong; they are the caller's own. */
function invalid(error: HttpException): Problem {
  const response = error.getResponse();
  const message = typeof response === 'object' && 'message' in response ? response.message : undefined;
  if (!Array.isArray(message)) return new Problem('request/malformed', undefined, { cause: error });
  return new Problem('request/invalid', undefined, { cause: error, extensions: { errors: message } });
}
