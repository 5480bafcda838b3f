import type { Principal } from '@keyfare/core/principal';
import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { Strategy } from 'passport-strategy';
import { ApiKeyStrategy } from './api-key.strategy.js';
import { X402Strategy } from './x402.strategy.js';

/**
 * The gate's passport, with the strategies `api-key` and `x402`. It is this gate's own: on passport's process-wide
 * instance a second gate in the process would take the keys of the first.
 */
@Injectable()
export class GatePassport {
  readonly #authenticator = new passport.Passport();

  constructor(apiKey: ApiKeyStrategy, x402: X402Strategy) {
    this.#authenticator.use(apiKey as Strategy);
    this.#authenticator.use(x402 as Strategy);
  }

  /**
   * Who the request's credential of that kind proves; null when there is none. Rejects with the resolver's `Problem`
   * for a bad one.
   */
  prove(strategy: 'api-key' | 'x402', request: unknown): Promise<Principal | null> {
    return new Promise((resolve, reject) => {
      const settle = (error: unknown, user?: Principal | false | null): void => {
        if (error !== null && error !== undefined) reject(error);
        else resolve(user === false || user === undefined ? null : user);
      };
      const middleware = this.#authenticator.authenticate(strategy, { session: false }, settle) as (
        request: unknown,
        response: unknown,
        next: (error: unknown) => void,
      ) => void;
      middleware(request, {}, settle);
    });
  }
}
