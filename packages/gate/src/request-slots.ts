import type { Problem, ProblemCode } from '@keyfare/core/problem';

/** HTML, and the headers that belong to it. */
export interface RefusalPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Where callers find the pages of problems, as a path: RFC 9457 §3.1.1 resolves `type` against the request's URL.
     */
    problemBase?: string;
    /** The page in the place of a refusal's document, for people who opened the URL; undefined for everybody else. */
    refusalPage?: (problem: Problem, request: FastifyRequest) => RefusalPage | undefined;
  }
  interface FastifyContextConfig {
    /** Of a route whose handler is priced: the guard stands in front of it. */
    isPriced?: true;
  }
  interface FastifyRequest {
    /** The exchange that the gate opened for the request; `exchangeOf` gives it its full type. */
    keyfare: { readonly id: string; readonly isLeaving: boolean } | null;
    /** The code that the request was refused with, for the access line. */
    problemCode?: ProblemCode;
    /** The id of a refused request for which no exchange was opened, in its problem and its access line. */
    occurrence?: string;
  }
}
