import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { type AuthorizationQuestion, type AuthorizationUse, findAuthorizationUse } from './authorization-use.js';
import { readBlock } from './blocks.js';
import { type BroadcastOutcome, broadcast } from './broadcast.js';
import { checkAddress } from './calldata.js';
import { capFees, type FeeCeiling } from './ceiling.js';
import { readL1Fee } from './cost.js';
import { readQuantity } from './decode.js';
import { toChainFailure } from './errors.js';
import { type CurrentFees, cached, readFees } from './fees.js';
import { readStandings, type Standing } from './finality.js';
import { type Head, readHead } from './head.js';
import { readBlockNumber } from './logs.js';
import { type BalanceQuestion, type PayerQuestion, type PayerState, readBalance, readPayer } from './payer.js';
import { readReceipts, type TransactionOutcome } from './receipts.js';
import { createRpc, type Rpc } from './rpc.js';
import type { RpcObserver } from './rpc-observer.js';
import { type Simulation, type SimulationQuestion, simulateTransfer } from './simulate.js';
import { type BatchQuestion, simulateBatch } from './simulate-batch.js';

/** How to reach the chain. */
export interface ChainOptions {
  /** http: or https: URL of a node. It may hold a key: it is never part of an error. */
  readonly rpcUrl: string;
  /** The chain that the node must serve. */
  readonly chainId: number;
  /** For one exchange with the node; default 5000. A call waits for a free connection as long again at most. */
  readonly timeoutMs?: number;
  /** Headers for the node, as providers want for keys. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Calls in one HTTP request at most, the one for the chain id included; default 300. What a node refuses is split,
   * and the size that works remembered; 1 sends each call alone.
   */
  readonly maxBatchCalls?: number;
  /** Connections to the node at once; default 8. */
  readonly maxConnections?: number;
  /** How long fees are believed; default 3000. */
  readonly feesTtlMs?: number;
  /** Blocks in one eth_getLogs; default 2000. Larger ranges are split, and too large ones halved. */
  readonly maxLogRange?: number;
  /** Hears of every call to the node. */
  readonly observer?: RpcObserver;
}

/**
 * One EVM chain, through one node. Every method rejects with `ChainUnavailable` when the node gave no answer, and with
 * `ChainError` when it gave one that rules the question out: 'wrong-chain' for all of them.
 */
export interface Chain {
  readonly chainId: number;
  /** Blocks in one eth_getLogs. */
  readonly maxLogRange: number;
  /** The JSON-RPC underneath, for the indexer. */
  readonly rpc: Rpc;
  /** What a payer has, in atomic units of the asset. */
  readBalance(question: BalanceQuestion): Promise<bigint>;
  /** Balance, authorization state and code of a payer. Calls made together go in one HTTP request. */
  readPayer(question: PayerQuestion): Promise<PayerState>;
  /**
   * Tries a transfer, in the form of the call that a settlement has. The verdict tells a refusal of the token from a
   * gas limit that is too low.
   */
  simulateTransfer(question: SimulationQuestion): Promise<Simulation>;
  /** Tries a batch of transfers through a batch contract: the verdict on each row, in their order. */
  simulateBatch(question: BatchQuestion): Promise<readonly Simulation[]>;
  blockNumber(): Promise<bigint>;
  /** The latest block. Its time is what a token compares `validAfter` and `validBefore` with. */
  head(): Promise<Head>;
  /** Resolves when the node answers and serves the right chain. */
  checkChainId(): Promise<void>;
  /**
   * What gas costs; at most `feesTtlMs` old. Rejects with `FeeTooHigh` when the next block asks more than `ceiling`.
   */
  fees(ceiling?: FeeCeiling): Promise<CurrentFees>;
  /** Wei that an OP-stack chain would take for the data of a signed transaction on layer 1; 0 on other chains. */
  l1Fee(transaction: Hex): Promise<bigint>;
  /** The next nonce of an account: counting mined transactions ('latest'), or also those that the node has waiting. */
  transactionCount(address: Address, block?: 'latest' | 'pending'): Promise<number>;
  /** The account's balance in wei. */
  etherBalance(address: Address): Promise<bigint>;
  /** Outcomes in the order of the hashes; null for a transaction that is in no block that the node has. */
  receipts(hashes: readonly Hex[]): Promise<(TransactionOutcome | null)[]>;
  /**
   * Where transactions stand, in the order of the hashes: how deep in the chain, or gone. Receipts are compared with
   * the blocks that they name, so that one which the node made up, or of a dropped block, is not believed.
   */
  standings(hashes: readonly Hex[]): Promise<Standing[]>;
  /** The hash of the block with that number; null when the node does not have it. Another one than before: a reorg. */
  blockHash(number: bigint): Promise<Hex | null>;
  /** When that block was made, in unix seconds; null when the node does not have it. */
  blockTime(number: bigint): Promise<bigint | null>;
  /** Sends signed transactions; sending the same bytes again is harmless. */
  broadcast(raws: readonly Hex[]): Promise<BroadcastOutcome[]>;
  /** Where an authorization was used up; null when that did not happen from `fromBlock` to the latest block. */
  findAuthorizationUse(question: AuthorizationQuestion): Promise<AuthorizationUse | null>;
  /** Gives up waiting calls and closes the connections. */
  close(): void;
}

/** Opens a chain without speaking to it: the first call does. Throws `TypeError` for a URL that is none. */
export function openChain(options: ChainOptions): Chain {
  const { rpcUrl, chainId, headers, timeoutMs = 5000, maxBatchCalls = 300, maxConnections = 8 } = options;
  const { feesTtlMs = 3000, maxLogRange = 2000, observer } = options;
  const optional = { ...(headers && { headers }), ...(observer && { observer }) };
  const rpc = createRpc({ rpcUrl, chainId, timeoutMs, maxBatchCalls, maxConnections, ...optional });
  const fees = cached(async () => await readFees(rpc), feesTtlMs);
  return {
    chainId,
    maxLogRange,
    rpc,
    readBalance: async (question) => await readBalance(rpc, question),
    readPayer: async (question) => await readPayer(rpc, question),
    simulateTransfer: async (question) => await simulateTransfer(rpc, question),
    simulateBatch: async (question) => await simulateBatch(rpc, question),
    blockNumber: async () => await readBlockNumber(rpc),
    head: async () => await readHead(rpc),
    checkChainId: async () => void (await quantity(rpc, 'eth_chainId', '[]')), // the batch itself is what is checked
    fees: async (ceiling = {}) => capFees(await fees(), ceiling),
    l1Fee: async (transaction) => await readL1Fee(rpc, transaction),
    transactionCount: async (address, block = 'latest') => {
      checkAddress(address);
      return Number(await quantity(rpc, 'eth_getTransactionCount', `["${address}","${block}"]`));
    },
    etherBalance: async (address) => {
      checkAddress(address);
      return await quantity(rpc, 'eth_getBalance', `["${address}","latest"]`);
    },
    receipts: async (hashes) => await readReceipts(rpc, hashes),
    standings: async (hashes) => await readStandings(rpc, hashes),
    blockHash: async (number) => (await readBlock(rpc, number))?.hash ?? null,
    blockTime: async (number) => (await readBlock(rpc, number))?.timestamp ?? null,
    broadcast: async (raws) => await broadcast(rpc, raws),
    findAuthorizationUse: async (question) => await findAuthorizationUse(rpc, question, maxLogRange),
    close: () => rpc.close(),
  };
}

async function quantity(rpc: Rpc, method: string, params: string): Promise<bigint> {
  try {
    return readQuantity(await rpc.call(method, params), method);
  } catch (error) {
    throw toChainFailure(error);
  }
}
