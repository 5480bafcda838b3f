import type { Hex } from '@keyfare/core/encoding';
import type { Address, PaymentFlow, PaymentTerms } from '@keyfare/core/x402';
import type { Movement } from '../settling.js';

export type { PaymentOutcome } from '../settling.js';

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
export interface PaymentHold extends Movement {
  readonly rail: 'x402';
  readonly flow: PaymentFlow;
  /** What it is paid for; null of one that was claimed before the row kept it. */
  readonly sku: string | null;
  readonly accountId: string | null;
  readonly keyId: string | null;
  readonly fingerprint: Buffer;
  readonly claimedAt: Date;
  readonly x402Version: 1 | 2;
  /** No key made its signature: the payer's code is asked about it. Not known of one that was taken over. */
  readonly isProvenByCode: boolean;
  /** What a fresh payment may be made for, should this one fail; empty where it was taken over from the database. */
  readonly offers: readonly PaymentTerms[];
}

/** The states of a payment: see docs/decisions/0006. */
export type PaymentState = 'claimed' | 'served' | 'settling' | 'settled' | 'final' | 'failed' | 'expired';

/** A payment that was presented before, by the same request, and was served. */
export interface KnownPayment {
  readonly rail: 'known';
  readonly exchangeId: string;
  readonly state: PaymentState;
  readonly flow: PaymentFlow;
  readonly call: PaidCall;
  /** Null for a deferred payment that has not moved yet. */
  readonly transaction: Hex | null;
  readonly network: string;
  readonly payer: Address;
  readonly amount: bigint;
  readonly failure: string | null;
  /** Its first caller still waits. */
  readonly waiting: boolean;
}
