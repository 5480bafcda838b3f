import type { PaymentRequirements } from '@x402/core/types';
import type { Hex } from '../encoding/index.js';
import type { Address, Network, Token } from './network.js';
import type { ResourceDescription } from './resource-description.js';

/** The message of EIP-3009 `TransferWithAuthorization`, as signed by the payer. */
export interface Authorization {
  /** The payer, lower-case. */
  readonly from: Address;
  /** The recipient, lower-case. */
  readonly to: Address;
  /** Atomic units of the token. */
  readonly value: bigint;
  /** Unix seconds; valid strictly after. */
  readonly validAfter: bigint;
  /** Unix seconds; valid strictly before. */
  readonly validBefore: bigint;
  /** 32 random bytes, lower-case. With `from` and the token they name this payment for ever. */
  readonly nonce: Hex;
}

/** A payment as the caller presented it: well-formed, and nothing more. */
export interface PresentedPayment {
  readonly x402Version: 1 | 2;
  readonly scheme: 'exact';
  /** CAIP-2, whichever version was presented; `findNetwork` knows it. */
  readonly network: Network['caip2'];
  /** The offer that the payer says it accepted (version 2). Unsigned: compare it, never rely on it. */
  readonly accepted?: PaymentRequirements;
  readonly authorization: Authorization;
  /** 65 bytes for a key; any length for the wallet contract of a payer (ERC-1271, ERC-6492). Lower-case. */
  readonly signature: Hex;
  /** The id of the extension `payment-identifier`, which the payer chose (version 2). */
  readonly identifier?: string;
}

/**
 * When a payment is settled: after the handler and before the answer (`authorization`), before the handler (`upfront`),
 * or later and in bulk (`deferred`).
 */
export type PaymentFlow = 'authorization' | 'upfront' | 'deferred';

/** What a route asks of a payment: one offer of a 402. */
export interface PaymentTerms {
  readonly flow: PaymentFlow;
  readonly network: Network;
  readonly asset: Token;
  /** The recipient, in the spelling that offers shall show. */
  readonly payTo: Address;
  /** Atomic units of the asset. */
  readonly amount: bigint;
  readonly maxTimeoutSeconds: number;
  /** The absolute URL of what is sold. */
  readonly resourceUrl: string;
  readonly description: string;
  readonly mimeType: string;
  /** What the route takes and answers, where that is declared. */
  readonly about?: ResourceDescription | undefined;
}

/** A payment whose signature and terms were verified: what is claimed and, later, settled. */
export interface VerifiedPayment {
  readonly x402Version: 1 | 2;
  readonly network: Network;
  /**
   * The token whose domain it is signed for, or the one that the payer says. Null where nothing tells it: version 1
   * names no asset, and a signature that only code can prove is of no domain that could be found out. Then it is that
   * of the offer.
   */
  readonly asset: Token | null;
  readonly authorization: Authorization;
  /** As the token contract takes it: 65 bytes with v 27 or 28 for a key. */
  readonly signature: Hex;
  /**
   * `key`: the signature is the payer's key's. `code`: it is not, and only the payer's code can prove it (ERC-1271).
   */
  readonly proof: 'key' | 'code';
  /** The offer that the payer says it accepted (version 2). */
  readonly accepted?: PaymentRequirements | undefined;
  /** The id of the extension `payment-identifier`. */
  readonly identifier?: string | undefined;
}
