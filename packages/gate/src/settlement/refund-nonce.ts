import { createHash } from 'node:crypto';
import type { Hex } from '@keyfare/core/encoding';

/**
 * The nonce of the authorization that pays a refund: SHA-256 of `keyfare-refund:` and the id of the entry that says it
 * is due. A token takes a nonce of a wallet once (EIP-3009), so a refund is paid once, whoever tries, how often soever;
 * and the transfer on the chain names the entry.
 */
export function refundNonce(entryId: string): Hex {
  return `0x${createHash('sha256').update(`keyfare-refund:${entryId}`).digest('hex')}`;
}
