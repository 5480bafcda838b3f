import { findToken } from '@keyfare/core/x402';
import type { NetworkAccess } from '../networks.js';
import type { DeferredSettings } from '../payment-config.js';
import type { Movement } from '../settling.js';
import { comeBack } from './answers.js';
import type { Open } from './claims.js';

/**
 * Refuses a deferred payment beyond what its payer, or all together, may have open in its asset: 503
 * `payment/exposure-exceeded`. In an asset without limits nothing may be.
 */
export function limitExposure(
  { byPayer, byAll }: Open,
  { asset }: Pick<Movement, 'asset'>,
  { access, deferred }: { readonly access: NetworkAccess; readonly deferred: DeferredSettings },
): void {
  const token = findToken(access.settings.network, asset);
  const { maxPerPayer = null, maxTotal = null } = token === null ? {} : deferred.limits[token.symbol];
  if (maxPerPayer === null || byPayer > maxPerPayer) {
    throw comeBack('payment/exposure-exceeded', 'This payer has too much open; it is collected shortly.', 30);
  }
  if (maxTotal === null || byAll > maxTotal) {
    throw comeBack('payment/exposure-exceeded', 'Too much is open altogether; it is collected shortly.', 30);
  }
}
