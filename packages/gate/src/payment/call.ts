import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';

/**
 * What a receipt will say of a paid call, fixed before the payment is broadcast: whichever process learns that the
 * money moved can then issue the receipt and answer a retry. Kept as JSON in the payment's row.
 */
export interface PaidCall {
  readonly x402Version: 1 | 2;
  readonly sku: string;
  readonly units: string;
  readonly method: string;
  readonly resourceUrl: string;
  readonly status: number;
  readonly requestDigest?: string;
  readonly responseDigest: string;
  readonly contentType?: string;
  /** RFC 3339. */
  readonly occurredAt: string;
  readonly periodStart: string;
}

/** A payment that this exchange has made its own. */
export interface PaymentHold {
  readonly rail: 'x402';
  readonly exchangeId: string;
  readonly network: string;
  readonly asset: Address;
  readonly payer: Address;
  readonly nonce: Hex;
  readonly amount: bigint;
  readonly payTo: Address;
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** 0x-prefixed hex, as it will go to the contract. */
  readonly signature: Hex;
  readonly accountId: string | null;
  readonly keyId: string | null;
  readonly fingerprint: Buffer;
  readonly claimedAt: Date;
  /** The authorization was seen unused at this block: its use is in none before. */
  readonly unusedAtBlock: bigint;
  readonly x402Version: 1 | 2;
}

/** How a submitted payment ended. */
export type PaymentOutcome =
  | { readonly kind: 'settled'; readonly transaction: Hex }
  | { readonly kind: 'failed'; readonly transaction: Hex | null; readonly reason: string };
