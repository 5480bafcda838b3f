import type { Address, Hex } from 'viem';
import { faultOf, hasCode } from './contracts.js';
import { NotPlayed, Reverted, RpcFault } from './fault.js';
import { type Block, baseFeePerGas, type Ledger, type Mined } from './ledger.js';

const tip = 1_000_000n;
const nobody: Address = '0x0000000000000000000000000000000000000000';

type Method = (ledger: Ledger, params: readonly unknown[]) => unknown;

/** The part of JSON-RPC that the gate, billing's indexer and wallets ask a node (Ethereum execution APIs). */
const methods: Readonly<Record<string, Method>> = {
  eth_chainId: ({ network }) => hex(network.chainId),
  net_version: ({ network }) => String(network.chainId),
  eth_blockNumber: ({ head }) => hex(head.number),
  eth_gasPrice: () => hex(baseFeePerGas + tip),
  eth_maxPriorityFeePerGas: () => hex(tip),
  eth_getBlockByNumber: (ledger, [tag, isFull]) => {
    if (isFull === true) throw new NotPlayed('blocks with whole transactions');
    return blockOf(ledger, numberOf(ledger, tag));
  },
  eth_getBalance: (ledger, [address]) => hex(ledger.etherOf(addressOf(address))),
  eth_getCode: ({ token }, [address]) => (hasCode(token, addressOf(address)) ? '0xfe' : '0x'),
  eth_getTransactionCount: (ledger, [address, tag]) =>
    hex(tag === 'pending' ? ledger.pool.pendingCount(addressOf(address)) : ledger.minedCount(addressOf(address))),
  eth_call: (ledger, [call, tag]) => callOf(ledger, call, tag),
  eth_getLogs: (ledger, [filter]) => logsOf(ledger, filter),
  eth_sendRawTransaction: async (ledger, [raw]) => ledger.send(bytesOf(raw)),
  eth_getTransactionReceipt: (ledger, [hash]) => {
    const mined = ledger.receiptOf(String(hash));
    return mined === undefined ? null : receiptOf(ledger, mined);
  },
};

/** The answer to one call. Throws `RpcFault`. */
export async function answerMethod(ledger: Ledger, method: string, params: readonly unknown[]): Promise<unknown> {
  const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (run === undefined) throw new NotPlayed(method);
  try {
    return await run(ledger, params);
  } catch (error) {
    throw error instanceof Reverted ? faultOf(error) : error;
  }
}

function callOf(ledger: Ledger, call: unknown, tag: unknown): Hex {
  const { to, data, from, gas } = objectOf(call);
  const at = tag === undefined || tag === 'latest' || tag === 'pending' ? undefined : numberOf(ledger, tag);
  return ledger.try(
    { from: from === undefined ? nobody : addressOf(from), to: addressOf(to), data: bytesOf(data) },
    { ...(gas === undefined ? {} : { gas: BigInt(bytesOf(gas)) }), ...(at === undefined ? {} : { at }) },
  ).output;
}

/** What is final here is what has two blocks on top, as the blocks of this chain have as soon as they hold anything. */
function numberOf({ head }: Ledger, tag: unknown): number {
  if (tag === 'latest' || tag === 'pending' || tag === undefined) return head.number;
  if (tag === 'safe' || tag === 'finalized') return Math.max(0, head.number - 2);
  if (tag === 'earliest') return 0;
  if (typeof tag === 'string' && /^0x[0-9a-f]{1,12}$/i.test(tag)) return Number(tag);
  throw new RpcFault(-32_602, 'invalid block number');
}

function blockOf(ledger: Ledger, number: number): object | null {
  const block = ledger.blockAt(number);
  if (block === undefined) return null;
  const { hash, parentHash, timestamp, transactions } = block;
  return {
    number: hex(number),
    hash,
    parentHash,
    timestamp: hex(timestamp),
    baseFeePerGas: hex(baseFeePerGas),
    gasLimit: hex(30_000_000),
    gasUsed: hex(transactions.reduce((sum, { gasUsed }) => sum + gasUsed, 0n)),
    transactions: transactions.map(({ transaction }) => transaction.hash),
  };
}

function receiptOf(ledger: Ledger, mined: Mined): object {
  const block = ledger.blockAt(mined.block) as Block;
  const { transaction, succeeded, gasUsed, effectiveGasPrice } = mined;
  return {
    type: '0x2',
    status: succeeded ? '0x1' : '0x0',
    transactionHash: transaction.hash,
    transactionIndex: hex(block.transactions.indexOf(mined)),
    blockHash: block.hash,
    blockNumber: hex(block.number),
    from: transaction.from,
    to: transaction.to,
    gasUsed: hex(gasUsed),
    cumulativeGasUsed: hex(gasUsed),
    effectiveGasPrice: hex(effectiveGasPrice),
    contractAddress: null,
    logs: logsIn(block).filter(({ transactionHash }) => transactionHash === transaction.hash),
  };
}

interface WireLog {
  readonly address: Address;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly blockHash: Hex;
  readonly blockNumber: Hex;
  readonly transactionHash: Hex;
  readonly transactionIndex: Hex;
  readonly logIndex: Hex;
  readonly removed: boolean;
}

/** The logs of a block, numbered through. */
function logsIn(block: Block): readonly WireLog[] {
  const logs: WireLog[] = [];
  for (const [index, { transaction, events }] of block.transactions.entries()) {
    for (const { address, topics, data } of events) {
      logs.push({
        address,
        topics,
        data,
        blockHash: block.hash,
        blockNumber: hex(block.number),
        transactionHash: transaction.hash,
        transactionIndex: hex(index),
        logIndex: hex(logs.length),
        removed: false,
      });
    }
  }
  return logs;
}

function logsOf(ledger: Ledger, filter: unknown): readonly WireLog[] {
  const { address, topics = [], fromBlock, toBlock } = objectOf(filter);
  if (!Array.isArray(topics)) throw new RpcFault(-32_602, 'topics must be a list');
  const addresses = new Set([address].flat().map((entry) => addressOf(entry)));
  const [from, to] = [numberOf(ledger, fromBlock), numberOf(ledger, toBlock)];
  return ledger
    .blocksBetween(from, to)
    .flatMap(logsIn)
    .filter((log) => addresses.has(log.address) && topics.every((wanted, at) => fits(log.topics[at], wanted)));
}

function fits(topic: Hex | undefined, wanted: unknown): boolean {
  if (wanted === null) return true;
  return [wanted].flat().some((one) => typeof one === 'string' && one.toLowerCase() === topic?.toLowerCase());
}

function addressOf(value: unknown): Address {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{40}$/i.test(value)) throw new RpcFault(-32_602, 'invalid address');
  return value.toLowerCase() as Address;
}

function bytesOf(value: unknown): Hex {
  if (typeof value !== 'string' || !/^0x[0-9a-f]*$/i.test(value)) throw new RpcFault(-32_602, 'invalid bytes');
  return value as Hex;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new RpcFault(-32_602, 'invalid params');
  return value as Readonly<Record<string, unknown>>;
}

function hex(value: number | bigint): Hex {
  return `0x${value.toString(16)}`;
}
