import type { Hex } from '@keyfare/core/encoding';
import { type BlockHeader, readFullBlock, readTagged } from './blocks.js';
import { ChainError } from './errors.js';
import { readReceipts, type TransactionOutcome } from './receipts.js';
import type { Rpc } from './rpc.js';

/**
 * Where a transaction stands.
 * - `included`: it is in a block of the chain as the node has it now; `depth` counts that block and those on top of it,
 *   so the newest block has depth 1. `finality` is what the node calls the block: `safe` and `finalized` only where it
 *   knows these words.
 * - `gone`: no block of the node holds it: not mined yet, or dropped by a reorganization. Send it again.
 * - `unsure`: the receipt names a block that is not in the chain, or one that does not list the transaction. The node
 *   is amid a reorganization, or made the receipt up: ask again, and believe neither.
 */
export type Standing =
  | {
      readonly state: 'included';
      readonly depth: bigint;
      readonly finality: 'latest' | 'safe' | 'finalized';
      readonly outcome: TransactionOutcome;
    }
  | { readonly state: 'gone' }
  | { readonly state: 'unsure'; readonly outcome: TransactionOutcome };

/**
 * Where each transaction stands, in the order of the hashes: two HTTP requests for any number that fits a batch. Each
 * receipt is compared with the block that it names, by hash and by the block's list of transactions.
 */
export async function readStandings(rpc: Rpc, hashes: readonly Hex[]): Promise<Standing[]> {
  const [receipts, latest, safe, finalized] = await Promise.all([
    readReceipts(rpc, hashes),
    readTagged(rpc, 'latest'),
    readTagged(rpc, 'safe'),
    readTagged(rpc, 'finalized'),
  ]);
  if (latest === null) throw new ChainError('unknown-block', 'the node has no block at all');
  return await Promise.all(
    receipts.map(async (outcome): Promise<Standing> => {
      if (outcome === null) return { state: 'gone' };
      const { blockNumber, blockHash, hash } = outcome;
      const block = await readFullBlock(rpc, blockNumber);
      const depth = latest.number - blockNumber + 1n;
      if (block?.hash !== blockHash || !block.transactions.has(hash) || depth < 1n) return { state: 'unsure', outcome };
      return { state: 'included', depth, finality: finalityOf(blockNumber, safe, finalized), outcome };
    }),
  );
}

function finalityOf(blockNumber: bigint, safe: BlockHeader | null, finalized: BlockHeader | null) {
  if (finalized !== null && finalized.number >= blockNumber) return 'finalized';
  return safe !== null && safe.number >= blockNumber ? 'safe' : 'latest';
}
