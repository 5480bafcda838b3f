import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { type BlockHeader, type ChainEnds as Head, readBlocks, readEnds } from '../chain/blocks.js';
import { addressTopic, encodeBalanceOf } from '../chain/calldata.js';
import { readQuantity, toQuantity } from '../chain/decode.js';
import { isRevert, NodeError, toChainFailure } from '../chain/errors.js';
import { type Chain, ChainError, type TokenTransfer, type TransactionOutcome } from '../chain/index.js';
import { type LogQuestion, readLogs } from '../chain/logs.js';
import { callParams, readWord } from '../chain/payer.js';
import { type Log, topics } from '../chain/transfers.js';

/** Which transfers to read. */
export interface TransferQuestion {
  readonly asset: Address;
  readonly payTo: Address;
  /** Inclusive. */
  readonly fromBlock: bigint;
  /** Inclusive; the node must have it. */
  readonly toBlock: bigint;
}

/** A transfer, and where it is in the chain. */
export interface IndexedTransfer extends TokenTransfer {
  readonly blockNumber: bigint;
  readonly blockHash: Hex;
  readonly transactionHash: Hex;
  /** Who sent the transaction: for an authorization seldom the payer. */
  readonly transactionFrom: Address;
  /** What the whole transaction cost its sender, in wei: gas, and the data on layer 1 where there is one. */
  readonly transactionFee: bigint;
}

/** Reads what happened, block by block, for whoever keeps the cursor. Errors as those of `Chain`. */
export interface Indexer {
  readHead(): Promise<Head>;
  /**
   * The headers of a range, ends included, each the parent of the next. ChainError 'unknown-block' for a block that the
   * node does not have, 'reorganized' when the chain changed meanwhile.
   */
  readBlocks(fromBlock: bigint, toBlock: bigint): Promise<BlockHeader[]>;
  /**
   * Every transfer of the asset to or from `payTo`, in the order of the chain, with the authorization that made it.
   * Compare `blockHash` with the headers: what is not in those blocks is no fact. ChainErrors as `readBlocks`.
   */
  readTransfers(question: TransferQuestion): Promise<IndexedTransfer[]>;
  /** The holder's balance after that block, in atomic units. ChainError 'state-unavailable' from a pruned node. */
  balanceOf(asset: Address, holder: Address, blockNumber: bigint): Promise<bigint>;
  /** As `balanceOf`, of the network's own coin, in wei. */
  coinOf(holder: Address, blockNumber: bigint): Promise<bigint>;
}

/** An indexer over a chain; it keeps nothing. */
export function createIndexer(chain: Pick<Chain, 'rpc' | 'receipts' | 'maxLogRange'>): Indexer {
  return {
    readHead: async () => await readEnds(chain.rpc),
    readBlocks: async (fromBlock, toBlock) => await readBlocks(chain.rpc, fromBlock, toBlock),
    readTransfers: async (question) => await readTransfers(chain, question),
    balanceOf: async (asset, holder, blockNumber) => await balanceOf(chain, { asset, holder, blockNumber }),
    coinOf: async (holder, blockNumber) => await coinOf(chain, { holder, blockNumber }),
  };
}

async function readTransfers(
  { rpc, receipts, maxLogRange }: Pick<Chain, 'rpc' | 'receipts' | 'maxLogRange'>,
  { asset, payTo, fromBlock, toBlock }: TransferQuestion,
): Promise<IndexedTransfer[]> {
  const party = addressTopic(payTo);
  const range: Omit<LogQuestion, 'topics'> = { address: asset, fromBlock, toBlock, maxRange: maxLogRange };
  const [received, sent] = await Promise.all([
    readLogs(rpc, { ...range, topics: [topics.transfer, null, party] }),
    readLogs(rpc, { ...range, topics: [topics.transfer, party] }),
  ]);
  const found = new Map([...received, ...sent].map((log) => [placeOf(log), log])); // to itself: in both lists
  const hashes = [...new Set([...found.values()].map((log) => log.transactionHash))];
  // The receipt holds the logs around each transfer, and who sent the transaction: eth_getLogs would give the
  // authorizations of everybody who uses the token.
  const outcomes = new Map((await receipts(hashes)).map((outcome, index) => [hashes[index], outcome]));
  const transfers = [...found.values()].map((log) => locate(log, outcomes.get(log.transactionHash) ?? null));
  return transfers.toSorted((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
}

function locate(log: Log, outcome: TransactionOutcome | null): IndexedTransfer {
  const transfer = outcome?.transfers.find(({ logIndex }) => logIndex === log.logIndex);
  if (outcome?.blockHash !== log.blockHash || transfer?.asset !== log.address) {
    throw new ChainError('reorganized', `transaction ${log.transactionHash} is not where its log was`);
  }
  const { blockNumber, blockHash, transactionHash } = log;
  const { from: transactionFrom, gasUsed, effectiveGasPrice, l1Fee } = outcome;
  const transactionFee = gasUsed * effectiveGasPrice + l1Fee;
  return { ...transfer, blockNumber, blockHash, transactionHash, transactionFrom, transactionFee };
}

function placeOf(log: Log): string {
  return `${log.blockHash}:${String(log.logIndex)}`;
}

const missingState = /missing trie|state .*(not|un)available|pruned|historical state|archive|block ?out ?of ?range/i;

async function balanceOf(
  { rpc }: Pick<Chain, 'rpc'>,
  question: { readonly asset: Address; readonly holder: Address; readonly blockNumber: bigint },
): Promise<bigint> {
  const { asset, holder, blockNumber } = question;
  try {
    const params = callParams(asset, encodeBalanceOf(holder), toQuantity(blockNumber));
    return readWord(await rpc.call('eth_call', params), asset);
  } catch (error) {
    if (isRevert(error)) throw new ChainError('not-a-token', `${asset} does not answer as a token`);
    throw stateFailure(error, blockNumber);
  }
}

async function coinOf(
  { rpc }: Pick<Chain, 'rpc'>,
  { holder, blockNumber }: { readonly holder: Address; readonly blockNumber: bigint },
): Promise<bigint> {
  try {
    const params = `["${holder}","${toQuantity(blockNumber)}"]`;
    return readQuantity(await rpc.call('eth_getBalance', params), 'a balance');
  } catch (error) {
    throw stateFailure(error, blockNumber);
  }
}

function stateFailure(error: unknown, blockNumber: bigint): unknown {
  if (error instanceof NodeError && missingState.test(error.message)) {
    return new ChainError('state-unavailable', `the node has no state of block ${String(blockNumber)}`);
  }
  return toChainFailure(error);
}
