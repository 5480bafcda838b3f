import { encodeBase64, type Hex, utf8 } from '../encoding/index.js';
import type { Address, Network } from './network.js';

/** How a payment ended, for the caller who made it. */
export interface Settlement {
  readonly success: boolean;
  /** The transaction that moved the money; left out if there is none. */
  readonly transaction?: Hex | undefined;
  readonly network: Network;
  readonly payer?: Address | undefined;
  /** Atomic units that were moved. */
  readonly amount?: bigint | undefined;
  /** Why it failed: a stable code, never the text of an exception. */
  readonly errorReason?: string | undefined;
}

/** A response header and its value. */
export interface SettlementHeader {
  readonly header: 'PAYMENT-RESPONSE' | 'X-PAYMENT-RESPONSE';
  readonly value: string;
}

/**
 * The response header that tells how the payment ended (x402 `SettlementResponse`): the version decides its name and
 * how the network is written. The signed
 * receipt has a header of its own: it would travel twice in x402's `offer-receipt` extension, and inflated. Total.
 */
export function formatPaymentResponse(version: 1 | 2, settlement: Settlement): SettlementHeader {
  const { success, transaction = '', network, payer, amount, errorReason } = settlement;
  const body = {
    success,
    ...(errorReason === undefined ? {} : { errorReason }),
    transaction,
    network: version === 2 ? network.caip2 : network.name,
    ...(payer === undefined ? {} : { payer }),
    ...(amount === undefined ? {} : { amount: amount.toString() }),
  };
  return {
    header: version === 2 ? 'PAYMENT-RESPONSE' : 'X-PAYMENT-RESPONSE',
    value: encodeBase64(utf8(JSON.stringify(body))),
  };
}
