import type { Principal } from '@keyfare/core/principal';
import type { Strategy } from 'passport-strategy';

/**
 * Runs one passport strategy as passport does (a fresh object that inherits from it, with the outcome's methods), but
 * without the middleware around it: the guard needs an answer, not a response. Null when nothing was presented that the
 * strategy knows. Answers, or throws, at once when the strategy does.
 */
export function prove(strategy: Strategy, request: unknown): Principal | null | Promise<Principal | null> {
  const attempt = Object.create(strategy) as Strategy;
  let outcome: { readonly principal: Principal | null } | { readonly error: unknown } | undefined;
  let settle: { resolve: (principal: Principal | null) => void; reject: (error: unknown) => void } | undefined;
  attempt.success = (principal: Principal) => {
    outcome = { principal };
    settle?.resolve(principal);
  };
  attempt.fail = () => {
    outcome = { principal: null };
    settle?.resolve(null);
  };
  attempt.error = (error: unknown) => {
    outcome = { error };
    settle?.reject(error);
  };
  attempt.authenticate(request as never);
  if (outcome === undefined) {
    return new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
  }
  if ('error' in outcome) throw outcome.error;
  return outcome.principal;
}
