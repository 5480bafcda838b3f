import { describeCode, type ProblemCode } from './catalogue.js';

interface ProblemOptions {
  /** What led to the refusal. Private: it is logged, never sent. */
  readonly cause?: unknown;
  /** Extension members of the problem document (RFC 9457, section 3.2). JSON values only. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Response headers that belong to the refusal, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A refusal on its way to the caller. `code` is stable and has a page; `detail` is public, so write a full sentence
 * of facts without internals; `cause` is private. Anything else that is thrown is our fault and becomes a 500.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  /** What is wrong this time: the text given, or else the default of the catalogue. The same as `message`. */
  readonly detail: string;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail?: string, options: ProblemOptions = {}) {
    const row = describeCode(code);
    const text = detail ?? row.detail ?? `${row.title}.`;
    super(text, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = row.status;
    this.detail = text;
    this.extensions = options.extensions ?? {};
    this.headers = options.headers ?? {};
  }
}

/** Whether `error` is a refusal meant for the caller. */
export function isProblem(error: unknown): error is Problem {
  return error instanceof Problem;
}
