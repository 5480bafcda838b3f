import type { Hex } from '@keyfare/core/encoding';
import type { Address, Authorization } from '@keyfare/core/x402';
import { encodeAggregate3, encodeTransferWithAuthorization } from './calldata.js';

/** A payment to settle. */
export interface PaymentToSettle {
  readonly asset: Address;
  readonly authorization: Authorization;
  /** 65 bytes with v 27 or 28 for a key; any length for a wallet contract. */
  readonly signature: Hex;
}

/**
 * Multicall3, at one address on every chain that has it (mds1/multicall3). The local chain has our PaymentBatch there.
 */
export const multicall3Address: Address = '0xca11bde05977b3631167028862be2a173976ca11';

/**
 * Payments in one batch at most: as many as fit into 16,777,216 gas, which no transaction may ask more than since
 * Fusaka (EIP-7825).
 */
export const maxBatchSize = 200;

/**
 * Gas of one row: a transfer of the test USDC to a funded payee takes 46,300 in a batch of 100, calldata included. A
 * row that fails leaves what it did not use to those behind it.
 */
const gasPerRow = 80_000n;
/**
 * The transaction itself (21,000), cold accounts and slots, and the first transfer to a payee who holds nothing yet.
 */
const gasPerBatch = 90_000n;

/** The gas limit of a batch of `count` payments by keys. For payers whose code checks the signature give more a row. */
export function batchGasLimit(count: number, perRow: bigint = gasPerRow): bigint {
  return gasPerBatch + BigInt(count) * perRow;
}

/** Calldata of `aggregate3` with one transfer a row. */
export function encodeBatch(items: readonly PaymentToSettle[]): Hex {
  return encodeAggregate3(
    items.map(({ asset, authorization, signature }) => ({
      target: asset,
      callData: encodeTransferWithAuthorization(authorization, signature),
    })),
  );
}
