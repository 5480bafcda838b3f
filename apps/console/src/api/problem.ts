import type { components } from '@keyfare/api-types/gate';

type ProblemBody = components['schemas']['Problem'];

/** What an answer of 400 or more said (RFC 9457), or that there was none. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    /** 0 where no answer came. */
    readonly status: number,
    /** The stable code, such as `break/conflict`; `page/offline` where no answer came. */
    readonly code: string,
    readonly detail: string,
    readonly errors: readonly string[] = [],
  ) {
    super(`${code}: ${detail}`);
  }

  get isForbidden(): boolean {
    return this.status === 403;
  }

  get isOffline(): boolean {
    return this.status === 0;
  }
}

/** What problems of ours may have beside the members of RFC 9457. */
type AnyProblem = Partial<ProblemBody> & {
  readonly errors?: readonly string[];
  /** Of a file, by the number of the line. */
  readonly faults?: readonly { readonly line: number; readonly fault: string }[];
};

/** The problem that an answer's body is; it need not be one of ours, as with a proxy between. */
export function problemOf(status: number, body: unknown): ApiProblem {
  const found = (typeof body === 'object' && body !== null ? body : {}) as AnyProblem;
  const { code = `http/${status}`, detail, title, errors, faults } = found;
  const lines = errors ?? faults?.map(({ line, fault }) => `Line ${line}: ${fault}`);
  return new ApiProblem(status, code, detail ?? title ?? `The answer was ${status}.`, lines);
}

export const offline = (): ApiProblem =>
  new ApiProblem(
    0,
    'page/offline',
    'No answer came. The connection may be lost; what was asked is not known to be done.',
  );
