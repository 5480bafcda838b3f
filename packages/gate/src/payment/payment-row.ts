import type { Hex } from '@keyfare/core/encoding';
import type { Address, PaymentFlow } from '@keyfare/core/x402';
import type { PaidCall, PaymentHold, PaymentState } from './call.js';

/** A payment's row as the driver gives it. */
export interface PaymentRow {
  readonly network: string;
  readonly asset: Address;
  readonly payer: Address;
  readonly nonce: Hex;
  readonly exchange_id: string;
  readonly flow: PaymentFlow;
  readonly sku: string | null;
  readonly account_id: string | null;
  readonly key_id: string | null;
  readonly fingerprint: Buffer;
  readonly pay_to: Address;
  readonly amount: string;
  readonly valid_after: string;
  readonly valid_before: string;
  readonly signature: Buffer;
  readonly unused_at_block: string | null;
  readonly state: PaymentState;
  readonly wallet: string | null;
  readonly wallet_nonce: string | null;
  readonly transaction: Hex | null;
  readonly claimed_at: Date;
  readonly served_at: Date | null;
  readonly refund_due_at: Date | null;
  readonly failure: string | null;
  readonly call: PaidCall | null;
  readonly owner_alive: boolean;
  readonly waiting: boolean;
}

/** The hold that the row stands for, for a process that takes the payment over. */
export function holdOf(row: PaymentRow): PaymentHold {
  return {
    rail: 'x402',
    flow: row.flow,
    sku: row.sku,
    exchangeId: row.exchange_id,
    network: row.network,
    asset: row.asset,
    payer: row.payer,
    nonce: row.nonce,
    amount: BigInt(row.amount),
    payTo: row.pay_to,
    validAfter: BigInt(row.valid_after),
    validBefore: BigInt(row.valid_before),
    signature: `0x${row.signature.toString('hex')}`,
    accountId: row.account_id,
    keyId: row.key_id,
    fingerprint: row.fingerprint,
    claimedAt: row.claimed_at,
    unusedAtBlock: BigInt(row.unused_at_block ?? '0'),
    x402Version: row.call?.x402Version ?? 2,
    isProvenByCode: false,
    offers: [],
  };
}
