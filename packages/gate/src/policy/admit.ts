import type { Quote } from '@keyfare/core/metering';
import type { Principal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';

/**
 * Whether this principal may make this call at all, before anything is held for it. Throws 403 `policy/suspended` or
 * `policy/forbidden`. A payer may buy whatever is for sale.
 */
export function admit(principal: Principal, quote: Quote): void {
  if (principal.kind !== 'account') return;
  if (principal.suspended) throw new Problem('policy/suspended');
  const scope = quote.scope ?? quote.sku;
  if (principal.scopes.length > 0 && !principal.scopes.includes(scope)) {
    throw new Problem('policy/forbidden', `This key may not call what needs the scope "${scope}".`, {
      headers: { 'www-authenticate': `Bearer realm="keyfare", error="insufficient_scope", scope="${scope}"` },
    });
  }
}
