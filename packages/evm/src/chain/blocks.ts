import type { Hex } from '@keyfare/core/encoding';
import { readArray, readHash, readObject, readQuantity, toQuantity } from './decode.js';
import { ChainError, NodeError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** A block's place in the chain. */
export interface BlockHeader {
  readonly number: bigint;
  readonly hash: Hex;
  readonly parentHash: Hex;
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** The ends of the chain, by how much they can be relied on. */
export interface ChainEnds {
  readonly latest: BlockHeader;
  /** Unlikely to be undone; absent where the node does not tell. */
  readonly safe?: BlockHeader;
  /** Never undone. Block 0 until the chain finalizes its first. */
  readonly finalized: BlockHeader;
}

/** See `Indexer.readHead`. */
export async function readEnds(rpc: Rpc): Promise<ChainEnds> {
  const [latest, safe, finalized, genesis] = await Promise.all([
    readTagged(rpc, 'latest'),
    readTagged(rpc, 'safe'),
    readTagged(rpc, 'finalized'),
    readBlock(rpc, 0n),
  ]);
  if (latest === null || genesis === null) throw new ChainError('unknown-block', 'the node has no block at all');
  return { latest, ...(safe && { safe }), finalized: finalized ?? genesis };
}

/** See `Indexer.readBlocks`. */
export async function readBlocks(rpc: Rpc, from: bigint, to: bigint): Promise<BlockHeader[]> {
  const headers: BlockHeader[] = [];
  for (let first = from; first <= to; first += BigInt(rpc.callsPerRequest)) {
    const count = Number(to - first + 1n) < rpc.callsPerRequest ? Number(to - first + 1n) : rpc.callsPerRequest;
    const numbers = Array.from({ length: count }, (_, index) => first + BigInt(index));
    const blocks = await Promise.all(numbers.map(async (number) => await readBlock(rpc, number)));
    for (const [index, header] of blocks.entries()) {
      const number = String(numbers[index]);
      if (header === null) throw new ChainError('unknown-block', `the node does not have block ${number}`);
      const parent = headers.at(-1);
      if (parent !== undefined && header.parentHash !== parent.hash) {
        throw new ChainError('reorganized', `block ${number} does not follow the block read before it`);
      }
      headers.push(header);
    }
  }
  return headers;
}

/** The block of that number; null when the node does not have it. */
export async function readBlock(rpc: Rpc, number: bigint): Promise<BlockHeader | null> {
  try {
    const header = readHeader(await rpc.call('eth_getBlockByNumber', `["${toQuantity(number)}",false]`));
    if (header !== null && header.number !== number) {
      throw new ChainError('reorganized', `the node gave block ${String(header.number)} for ${String(number)}`);
    }
    return header;
  } catch (error) {
    throw toChainFailure(error);
  }
}

/**
 * Null for a tag that the node does not know, or that names no block yet (geth: -39001, "finalized block not found").
 */
export async function readTagged(rpc: Rpc, tag: 'latest' | 'safe' | 'finalized'): Promise<BlockHeader | null> {
  try {
    return readHeader(await rpc.call('eth_getBlockByNumber', `["${tag}",false]`));
  } catch (error) {
    if (error instanceof NodeError && /not found|unknown block|invalid|unsupported/i.test(error.message)) return null;
    throw toChainFailure(error);
  }
}

/** A block with the hashes of its transactions; null when the node does not have it. */
export async function readFullBlock(
  rpc: Rpc,
  number: bigint,
): Promise<{ readonly hash: Hex; readonly transactions: ReadonlySet<Hex> } | null> {
  try {
    const value = await rpc.call('eth_getBlockByNumber', `["${toQuantity(number)}",false]`);
    const header = readHeader(value);
    if (header === null || header.number !== number) return null;
    const transactions = readArray(readObject(value, 'block')['transactions'], 'block');
    return { hash: header.hash, transactions: new Set(transactions.map((hash) => readHash(hash, 'block'))) };
  } catch (error) {
    throw toChainFailure(error);
  }
}

function readHeader(value: unknown): BlockHeader | null {
  if (value === null) return null;
  const block = readObject(value, 'block');
  return {
    number: readQuantity(block['number'], 'block'),
    hash: readHash(block['hash'], 'block'),
    parentHash: readHash(block['parentHash'], 'block'),
    timestamp: readQuantity(block['timestamp'], 'block'),
  };
}
