import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { malformed, readAddress, readArray, readHash, readObject, readQuantity } from './decode.js';
import { toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';
import { pairTransfers, readLog, type TokenTransfer } from './transfers.js';

/** A transaction that is in a block. */
export interface TransactionOutcome {
  readonly hash: Hex;
  /** False: the transaction reverted. It is in a block, its gas is paid, and nothing else happened. */
  readonly succeeded: boolean;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  /** Who sent it and paid the gas. */
  readonly from: Address;
  readonly gasUsed: bigint;
  /** Wei per gas. */
  readonly effectiveGasPrice: bigint;
  /** Wei for the data on layer 1, on top of the gas (OP stack); 0 on chains without. */
  readonly l1Fee: bigint;
  /** Every token transfer in it. That the transaction succeeded does not say that a certain one is among them. */
  readonly transfers: readonly TokenTransfer[];
}

/** The outcomes of transactions, in their order; null where the node knows of no block with the transaction. */
export async function readReceipts(rpc: Rpc, hashes: readonly Hex[]): Promise<(TransactionOutcome | null)[]> {
  const checked = hashes.map((hash) => readHash(hash, 'hash'));
  return await Promise.all(
    checked.map(async (hash) => {
      try {
        const receipt = await rpc.call('eth_getTransactionReceipt', `["${hash}"]`);
        return receipt === null ? null : readReceipt(receipt, hash);
      } catch (error) {
        throw toChainFailure(error);
      }
    }),
  );
}

function readReceipt(value: unknown, asked: Hex): TransactionOutcome | null {
  const receipt = readObject(value, 'receipt');
  const hash = readHash(receipt['transactionHash'], 'receipt');
  if (hash !== asked) throw malformed('receipt');
  if (receipt['blockHash'] === null) return null; // some nodes give receipts of pending transactions
  const status = receipt['status'];
  // Only these two are statuses (EIP-658): whatever else stands there must pass neither for success nor for failure.
  if (status !== '0x1' && status !== '0x0') throw malformed('receipt');
  const succeeded = status === '0x1';
  const logs = readArray(receipt['logs'], 'receipt').map(readLog);
  const blockHash = readHash(receipt['blockHash'], 'receipt');
  if (logs.some((log) => log.transactionHash !== hash || log.blockHash !== blockHash)) throw malformed('receipt');
  return {
    hash,
    succeeded,
    blockNumber: readQuantity(receipt['blockNumber'], 'receipt'),
    blockHash,
    from: readAddress(receipt['from'], 'receipt'),
    gasUsed: readQuantity(receipt['gasUsed'], 'receipt'),
    effectiveGasPrice: readQuantity(receipt['effectiveGasPrice'], 'receipt'),
    l1Fee: typeof receipt['l1Fee'] === 'string' ? readQuantity(receipt['l1Fee'], 'receipt') : 0n,
    transfers: succeeded ? pairTransfers(logs) : [],
  };
}
