import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { addressTopic } from './calldata.js';
import { ChainError } from './errors.js';
import { readBlockNumber, readLogs } from './logs.js';
import { readReceipts } from './receipts.js';
import type { Rpc } from './rpc.js';
import { type TokenTransfer, topics } from './transfers.js';

/** Which authorization to look for. */
export interface AuthorizationQuestion {
  readonly asset: Address;
  readonly authorizer: Address;
  readonly nonce: Hex;
  /** Inclusive: no block before it can have used the authorization. */
  readonly fromBlock: bigint;
}

/** Where an authorization was used up, and how. */
export interface AuthorizationUse {
  /**
   * `transferred`: it moved the money in `transfer`. `canceled`: no money moved, and none will. `unpaired`: it was
   * used, and its token does not log the transfer next to that, as USDC does: what moved cannot be told.
   */
  readonly kind: 'transferred' | 'canceled' | 'unpaired';
  readonly transactionHash: Hex;
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  /**
   * Set when transferred. Compare `to` and `value`: a payer can sign two authorizations with one nonce, and the one
   * that was used may have paid somebody else.
   */
  readonly transfer: TokenTransfer | null;
}

/** Searches the logs up to the latest block. See `Chain.findAuthorizationUse`. */
export async function findAuthorizationUse(
  rpc: Rpc,
  { asset, authorizer, nonce, fromBlock }: AuthorizationQuestion,
  maxRange: number,
): Promise<AuthorizationUse | null> {
  const toBlock = await readBlockNumber(rpc);
  const events = [topics.authorizationUsed, topics.authorizationCanceled];
  const filter = { address: asset, topics: [events, addressTopic(authorizer), nonce] };
  const [log] = await readLogs(rpc, { ...filter, fromBlock, toBlock, maxRange });
  if (log === undefined) return null;
  const { transactionHash, blockNumber, blockHash } = log;
  const place = { transactionHash, blockNumber, blockHash };
  if (log.topics[0] === topics.authorizationCanceled) return { ...place, kind: 'canceled', transfer: null };
  const [outcome] = await readReceipts(rpc, [transactionHash]);
  if (outcome?.blockHash !== blockHash) {
    throw new ChainError('reorganized', `transaction ${transactionHash} is not where its log was`);
  }
  const transfer = outcome.transfers.find(
    (candidate) =>
      candidate.asset === log.address &&
      candidate.logIndex === log.logIndex + 1 &&
      candidate.authorization?.nonce === nonce.toLowerCase(),
  );
  return transfer === undefined
    ? { ...place, kind: 'unpaired', transfer: null }
    : { ...place, kind: 'transferred', transfer };
}
