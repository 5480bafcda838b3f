import type { Quote, TermsRecord } from '@keyfare/core/metering';
import type { AccountPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';

/**
 * Whether this account may make this call at all, before anything is held for it. Throws 403 `account/closed`,
 * `policy/suspended` or `policy/forbidden`. A payer is not asked: it may buy whatever is for sale.
 */
export function admit(principal: AccountPrincipal, terms: TermsRecord, quote: Quote, at: Date): void {
  if (terms.closed || (terms.endsAt !== null && terms.endsAt <= at)) throw new Problem('account/closed');
  if (terms.suspended) throw new Problem('policy/suspended');
  const scope = quote.scope ?? quote.sku;
  if (principal.scopes.length > 0 && !principal.scopes.includes(scope)) {
    throw new Problem('policy/forbidden', `This key may not call what needs the scope "${scope}".`, {
      headers: { 'www-authenticate': `Bearer realm="keyfare", error="insufficient_scope", scope="${scope}"` },
    });
  }
}
