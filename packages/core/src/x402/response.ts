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
  /** Our signed receipt, handed on in the extension `offer-receipt`. */
  readonly receiptJws?: string | undefined;
}

/** A response header and its value. */
export interface SettlementHeader {
  readonly header: 'PAYMENT-RESPONSE' | 'X-PAYMENT-RESPONSE';
  readonly value: string;
}

/**
 * The response header that tells how the payment ended (x402 `SettlementResponse`): the version decides its name and
 * how the network is written. A receipt travels as x402's `offer-receipt` extension (section 5), in its JWS form. Total.
 */
export function formatPaymentResponse(version: 1 | 2, settlement: Settlement): SettlementHeader {
  const { success, transaction = '', network, payer, amount, errorReason, receiptJws } = settlement;
  const body = {
    success,
    ...(errorReason === undefined ? {} : { errorReason }),
    transaction,
    network: version === 2 ? network.caip2 : network.name,
    ...(payer === undefined ? {} : { payer }),
    ...(amount === undefined ? {} : { amount: amount.toString() }),
    ...(receiptJws === undefined ? {} : { extensions: offerReceipt(receiptJws) }),
  };
  return {
    header: version === 2 ? 'PAYMENT-RESPONSE' : 'X-PAYMENT-RESPONSE',
    value: encodeBase64(utf8(JSON.stringify(body))),
  };
}

function offerReceipt(jws: string): object {
  return { 'offer-receipt': { info: { receipt: { format: 'jws', signature: jws } } } };
}
