import { describeCode, type ProblemCode } from './catalogue.js';
import type { Problem } from './problem.js';

/** The body of a refusal, `application/problem+json` (RFC 9457), with our `code` and any extension members. */
export interface ProblemDocument {
  readonly [extension: string]: unknown;
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly instance?: string;
}

interface DocumentOptions {
  /** The URL under which the problem pages are served, with its trailing slash. `type` is this and the code. */
  readonly typeBase: string;
  /** A URI that names this occurrence, such as the request id (RFC 9457, section 3.1.5). */
  readonly instance?: string;
}

const reserved = new Set(['type', 'title', 'status', 'detail', 'instance', 'code']);

/**
 * The problem as the caller may read it. An extension never replaces a standard member; `cause` stays private. Total.
 */
export function toProblemDocument(problem: Problem, { typeBase, instance }: DocumentOptions): ProblemDocument {
  const extensions = Object.entries(problem.extensions).filter(([name]) => !reserved.has(name));
  return {
    type: `${typeBase}${problem.code}`,
    title: describeCode(problem.code).title,
    status: problem.status,
    detail: problem.detail,
    ...(instance === undefined ? {} : { instance }),
    code: problem.code,
    ...Object.fromEntries(extensions),
  };
}
