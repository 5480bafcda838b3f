import { randomUUID } from 'node:crypto';
import { type Problem, toProblemDocument } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';
import '../request-slots.js';

/** Where the pages of problems are, unless a proxy takes a path away in front of them. */
export const defaultProblemBase = '/problems/';

/** A refusal as it leaves: an RFC 9457 document, and the headers that belong to it. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The URN under which the access line names this occurrence: of the exchange, or where none was opened, one of its own.
 */
export function instanceOf(request: FastifyRequest): string {
  const id = request.keyfare?.id ?? (request.occurrence ??= randomUUID());
  return `urn:uuid:${id}`;
}

/** Writes a problem down, and notes its code for the access line. */
export function answerProblem(problem: Problem, request: FastifyRequest): ProblemAnswer {
  const document = toProblemDocument(problem, {
    typeBase: request.server.problemBase ?? defaultProblemBase,
    instance: instanceOf(request),
  });
  request.problemCode = problem.code;
  const { refusalPage } = request.server;
  const page = refusalPage?.(problem, request);
  return {
    status: problem.status,
    headers: {
      'cache-control': 'no-store',
      // RFC 9110 §15.6.4: what is not to be had now is asked for again, and not at once.
      ...(problem.status === 503 && { 'retry-after': '2' }),
      ...problem.headers,
      // It takes the place of the header that CORS writes.
      ...(refusalPage !== undefined && problem.status === 402 && { vary: 'Accept, Origin' }),
      ...page?.headers,
      'content-type': page === undefined ? 'application/problem+json' : 'text/html; charset=utf-8',
    },
    body: page?.html ?? JSON.stringify(document),
  };
}
