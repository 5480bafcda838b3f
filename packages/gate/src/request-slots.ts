import type { ProblemCode } from '@keyfare/core/problem';

declare module 'fastify' {
  interface FastifyRequest {
    /** The exchange that the gate opened for the request; `exchangeOf` gives it its full type. */
    keyfare: { readonly id: string; readonly isLeaving: boolean } | null;
    /** The code that the request was refused with, for the access line. */
    problemCode?: ProblemCode;
  }
}
