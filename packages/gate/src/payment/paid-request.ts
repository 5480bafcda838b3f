import type { PayerPrincipal } from '@keyfare/core/principal';
import type { PaymentTerms } from '@keyfare/core/x402';
import type { Presented } from './answers.js';
import type { PaymentHold } from './call.js';

/** The request that a payment is presented with. */
export interface PaidRequest extends Presented {
  readonly exchangeId: string;
  readonly sku: string;
  /** Where an account pays beyond its plan. */
  readonly account: { readonly accountId: string; readonly keyId: string } | null;
  /** The price of the same request may have been another before: the payment may be for that one, and served. */
  readonly mayBeRepriced: boolean;
  /** Called before the database or the node is asked for the payment. */
  readonly onAsk: () => void;
}

/** The payment as it is claimed for a request that it pays by these terms. */
export function toHold(
  { payer, network, payment }: PayerPrincipal,
  request: PaidRequest,
  { terms, now }: { terms: PaymentTerms; now: Date },
): PaymentHold {
  const { authorization, signature, x402Version } = payment;
  const asset = payment.asset ?? terms.asset;
  return {
    rail: 'x402',
    flow: terms.flow,
    sku: request.sku,
    exchangeId: request.exchangeId,
    network,
    asset: asset.address,
    payer,
    nonce: authorization.nonce,
    amount: authorization.value,
    payTo: authorization.to,
    validAfter: authorization.validAfter,
    validBefore: authorization.validBefore,
    signature,
    accountId: request.account?.accountId ?? null,
    keyId: request.account?.keyId ?? null,
    fingerprint: request.fingerprint,
    claimedAt: now,
    unusedAtBlock: 0n,
    x402Version,
    isProvenByCode: payment.proof === 'code',
    offers: request.terms,
  };
}
