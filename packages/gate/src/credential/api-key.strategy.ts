import type { AccountPrincipal } from '@keyfare/core/principal';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-strategy';
import { extractKey } from './extract.js';
import type { Resolver } from './resolver.js';

/** RFC 6750 §3. */
const challenge = 'Bearer realm="keyfare"';

/**
 * Passport's `api-key`: a shim over the key resolver. Without a key it fails, so that another strategy may try;
 * with a good one it succeeds with the account; with a bad one it ends in the resolver's problem, and nobody may try. (No `#private` members: passport calls a strategy
 * through `Object.create`.)
 */
export class ApiKeyStrategy extends Strategy {
  readonly name = 'api-key';

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
          (error: unknown) => this.error(error as Error),
        );
      else this.conclude(proven);
    } catch (error) {
      this.error(error as Error);
    }
  }

  private conclude(principal: AccountPrincipal | null): void {
    if (principal === null) this.fail(challenge, 401);
    else this.success(principal);
  }
}
