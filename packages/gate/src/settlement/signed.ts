import type { Simulation } from '@keyfare/evm/chain';
import type { PaymentToSettle, SignedTransaction } from '@keyfare/evm/settler';
import type { NetworkAccess } from '../networks.js';
import type { Movement } from '../settling.js';

/** A stored transaction as the driver gives it. */
export interface StoredRow {
  readonly transaction: `0x${string}`;
  readonly wallet_nonce: string;
  readonly raw: Buffer;
  readonly max_fee_per_gas: string;
  readonly max_priority_fee_per_gas: string;
}

/** The transaction that a row holds. */
export function transactionOf(row: StoredRow): SignedTransaction {
  return {
    hash: row.transaction,
    nonce: Number(row.wallet_nonce),
    raw: `0x${row.raw.toString('hex')}`,
    fees: { maxFeePerGas: BigInt(row.max_fee_per_gas), maxPriorityFeePerGas: BigInt(row.max_priority_fee_per_gas) },
  };
}

/** What the wallet signs for a payment. */
export function toSettle(movement: Movement): PaymentToSettle {
  const { asset, payer: from, payTo: to, amount: value, validAfter, validBefore, nonce, signature } = movement;
  return { asset, authorization: { from, to, value, validAfter, validBefore, nonce }, signature };
}

/** Tries a payment's transfer as a transaction of its own would make it. */
export async function simulate({ chain, wallet, settings }: NetworkAccess, movement: Movement): Promise<Simulation> {
  const { gasLimit } = settings;
  return chain.simulateTransfer({ ...toSettle(movement), sender: wallet.address, gasLimit });
}

/** The contract wants the block's time to be before `validBefore`; a block's length must be left. */
const blockSeconds = 3n;

/** Whether the authorization has run out, or will before a block can take it. */
export function hasExpired({ validBefore }: Movement, now: Date): boolean {
  return validBefore < BigInt(Math.floor(now.getTime() / 1_000)) + blockSeconds;
}
