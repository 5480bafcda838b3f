import type { AccountPrincipal } from '@keyfare/core/principal';
import { isProblem, Problem } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-strategy';
import { Throttle } from '../throttle.js';
import { extractKey } from './extract.js';
import type { Resolver } from './resolver.js';

/** RFC 6750 §3. */
const challenge = 'Bearer realm="keyfare"';

/**
 * Passport's `api-key`: a shim over the key resolver. Without a key it fails, so that another strategy may try;
 * with a good one it succeeds with the account; with a bad one it ends in the resolver's problem, and nobody may try.
 * Many bad ones from one address end in 429 `credential/throttled`; good ones from there are taken all the same. (No
 * `#private` members: passport calls a strategy through `Object.create`.)
 */
export class ApiKeyStrategy extends Strategy {
  readonly name = 'api-key';
  private readonly wrong = new Throttle({ burst: 100, perSecond: 5, nowMs: () => performance.now() });

  constructor(private readonly resolve: Resolver<string, AccountPrincipal>) {
    super();
  }

  override authenticate(request: unknown): void {
    try {
      const key = extractKey(request as FastifyRequest);
      const proven = key === null ? null : this.resolve(key);
      if (proven instanceof Promise)
        proven.then(
          (principal) => this.conclude(principal),
          (error: unknown) => this.refuse(request as FastifyRequest, error),
        );
      else this.conclude(proven);
    } catch (error) {
      this.refuse(request as FastifyRequest, error);
    }
  }

  private refuse({ ip }: FastifyRequest, error: unknown): void {
    const waitSeconds = isProblem(error) && error.status === 401 ? this.wrong.take(ip) : 0;
    if (waitSeconds === 0) return this.error(error as Error);
    const headers = { 'retry-after': String(waitSeconds) };
    return this.error(new Problem('credential/throttled', undefined, { cause: error, headers }));
  }

  private conclude(principal: AccountPrincipal | null): void {
    if (principal === null) this.fail(challenge, 401);
    else this.success(principal);
  }
}
