import type { Principal } from '@keyfare/core/principal';
import type { Strategy } from 'passport-strategy';

/**
 * Runs one passport strategy as passport does (a fresh object that inherits from it, with the outcome's methods), but
 * without the middleware around it: the guard needs an answer, not a response. Null when nothing was presented that the strategy knows.
 */
export function prove(strategy: Strategy, request: unknown): Promise<Principal | null> {
  return new Promise((resolve, reject) => {
    const attempt = Object.create(strategy) as Strategy;
    attempt.success = (principal: Principal) => resolve(principal);
    attempt.fail = () => resolve(null);
    attempt.error = reject;
    attempt.authenticate(request as never);
  });
}
