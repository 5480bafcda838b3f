import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { readArray, readHash, readObject, readQuantity, toQuantity } from './decode.js';
import { ChainError, ChainUnavailable, isThrottled, NodeError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';
import { type Log, readLog } from './transfers.js';

/** Which logs of one contract. */
export interface LogQuestion {
  readonly address: Address;
  /** As in eth_getLogs: one topic, one of several, or any. */
  readonly topics: readonly (Hex | readonly Hex[] | null)[];
  /** Inclusive. */
  readonly fromBlock: bigint;
  /** Inclusive. */
  readonly toBlock: bigint;
  /** Blocks in one call at most. */
  readonly maxRange: number;
}

/**
 * The logs, in the order of the chain. Asks range by range; a range that the node finds too large is halved, down to
 * one block, and later ones grow again. Each range is asked together with the header of its last block: a node that has
 * fallen behind gives an empty list, not an error, for blocks that it does not have.
 */
export async function readLogs(rpc: Rpc, question: LogQuestion): Promise<Log[]> {
  const logs: Log[] = [];
  let range = BigInt(question.maxRange);
  for (let from = question.fromBlock; from <= question.toBlock; ) {
    const to = from + range - 1n < question.toBlock ? from + range - 1n : question.toBlock;
    try {
      logs.push(...(await readRange(rpc, question, { from, to })));
      from = to + 1n;
      range = grow(range, BigInt(question.maxRange)); // most limits do not change: slowly, or every second call fails
    } catch (error) {
      if (!isTooMuch(error) || to === from) throw toChainFailure(error);
      range = (to - from + 1n) / 2n;
    }
  }
  return logs.toSorted((a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex);
}

function grow(range: bigint, maxRange: bigint): bigint {
  const next = range + range / 4n + 1n;
  return next < maxRange ? next : maxRange;
}

async function readRange(
  rpc: Rpc,
  { address, topics }: LogQuestion,
  { from, to }: { readonly from: bigint; readonly to: bigint },
): Promise<Log[]> {
  const filter = JSON.stringify([{ address, topics, fromBlock: toQuantity(from), toBlock: toQuantity(to) }]);
  const [header, answer] = await Promise.all([
    rpc.call('eth_getBlockByNumber', `["${toQuantity(to)}",false]`),
    rpc.call('eth_getLogs', filter),
  ]);
  if (header === null) throw new ChainError('unknown-block', `the node does not have block ${String(to)}`);
  const last = readHash(readObject(header, 'block')['hash'], 'block');
  const logs = readArray(answer, 'list of logs').map(readLog);
  for (const log of logs) {
    if (log.address !== address.toLowerCase() || log.blockNumber < from || log.blockNumber > to) {
      throw new ChainUnavailable('the node sent logs that were not asked for');
    }
    if (log.blockNumber === to && log.blockHash !== last) {
      throw new ChainError('reorganized', `block ${String(to)} changed while its logs were read`);
    }
  }
  return logs;
}

/**
 * The words in which nodes and providers limit eth_getLogs; the codes differ as much (-32005, -32602, -32000, -32614,
 * -32012). A rate limit is none of these: it would shrink every range to one block.
 */
const tooMuch =
  /range|too (many|large|wide)|more than \d|limited to|exceed|response size|results|reduce|timed? ?out|split/i;

function isTooMuch(error: unknown): boolean {
  if (error instanceof NodeError) return !isThrottled(error) && tooMuch.test(error.message);
  return error instanceof ChainUnavailable && /too large/.test(error.message);
}

/** The number of a block that a node tells. */
export async function readBlockNumber(rpc: Rpc): Promise<bigint> {
  try {
    return readQuantity(await rpc.call('eth_blockNumber', '[]'), 'block number');
  } catch (error) {
    throw toChainFailure(error);
  }
}
