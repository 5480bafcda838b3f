import { type Problem, toProblemDocument } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';
import '../request-slots.js';

/** A refusal as it leaves: an RFC 9457 document, and the headers that belong to it. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The URN of a request's exchange, as problem documents name the occurrence; undefined before it was opened. */
export function instanceOf(request: FastifyRequest): string | undefined {
  return request.keyfare === null || request.keyfare === undefined ? undefined : `urn:uuid:${request.keyfare.id}`;
}

/** Writes a problem down, and notes its code for the access line. */
export function answerProblem(problem: Problem, request: FastifyRequest): ProblemAnswer {
  const instance = instanceOf(request);
  const document = toProblemDocument(problem, {
    typeBase: '/problems/',
    ...(instance === undefined ? {} : { instance }),
  });
  request.problemCode = problem.code;
  return {
    status: problem.status,
    headers: { 'cache-control': 'no-store', ...problem.headers, 'content-type': 'application/problem+json' },
    body: JSON.stringify(document),
  };
}
