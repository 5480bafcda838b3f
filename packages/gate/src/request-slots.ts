import type { ProblemCode } from '@keyfare/core/problem';

declare module 'fastify' {
  interface FastifyInstance {
    /** Where callers find the pages of problems, as a path: RFC 9457 §3.1.1 resolves `type` against the request's URL. */
    problemBase?: string;
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
