import { randomFillSync } from 'node:crypto';
import type { PricedTariff, Quote, TermsRecord } from '@keyfare/core/metering';
import type { Principal } from '@keyfare/core/principal';
import type { FastifyRequest } from 'fastify';
import '../request-slots.js';
import type { KeyHold } from '../meter/hold.js';
import type { PaymentHold } from '../payment/call.js';
import type { Replay } from '../payment/payment.service.js';

/**
 * One request on its way through the gate. Each step writes its field and reads only those before it:
 * open, quote, credential, hold, (handler), receipt.
 */
export interface Exchange {
  /** UUIDv7 (RFC 9562 §5.7): also the id of the receipt, the usage row and the entry. */
  readonly id: string;
  readonly openedAt: Date;
  readonly openedAtMs: number;
  /** SHA-256 of the request body (RFC 9530 form), once it was read. */
  requestDigest?: string;
  tariff?: PricedTariff;
  quote?: Quote;
  principal?: Principal;
  /** What the account behind the key has agreed. */
  terms?: TermsRecord;
  /** An account that pays by wallet for what goes beyond its plan. */
  account?: { readonly accountId: string; readonly keyId: string };
  hold?: KeyHold | PaymentHold | Replay;
  /** The interceptor answers for the hold. */
  taken?: boolean;
  /** The response has closed. */
  closed?: boolean;
  receiptId?: string;
}

/** The exchange of a request. Throws where the gate's hooks are not installed, which is a bug. */
export function exchangeOf(request: FastifyRequest): Exchange {
  if (request.keyfare === null || request.keyfare === undefined) throw new Error('the exchange was not opened');
  return request.keyfare as Exchange;
}

const randomPool = Buffer.alloc(2_560);
let randomUsed = randomPool.length;
const byteToHex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A UUIDv7. Random bytes are drawn in pools, since drawing them is the cost. */
export function newExchangeId(now: Date): string {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const random = randomPool.subarray(randomUsed, randomUsed + 10);
  randomUsed += 10;
  const time = now.getTime().toString(16).padStart(12, '0');
  const hex = (index: number): string => byteToHex[random[index] ?? 0] ?? '00';
  const version = byteToHex[((random[0] ?? 0) & 0x0f) | 0x70] ?? '70';
  const variant = byteToHex[((random[2] ?? 0) & 0x3f) | 0x80] ?? '80';
  const tail = `${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(1)}-${variant}${hex(3)}-${tail}`;
}
