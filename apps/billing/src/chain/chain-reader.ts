import type { Hex } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import type { Token } from '@keyfare/core/x402';
import { type Chain, ChainError } from '@keyfare/evm/chain';
import { type BlockHeader, createIndexer, type Head, type IndexedTransfer, type Indexer } from '@keyfare/evm/indexer';

/** A block that was read and is remembered. */
export interface Checkpoint {
  readonly number: bigint;
  readonly hash: string;
  readonly time: Date;
}

/** Where the reading of a wallet's transfers stands. */
export interface ChainPosition {
  readonly startBlock: bigint;
  readonly blockNumber: bigint;
  /** Null before the first block. */
  readonly blockHash: string | null;
}

/** Where the reading of a wallet's transfers shall begin. */
export interface ChainStart {
  readonly startBlock: bigint;
  /** Whether transfers of before are of no account, so that it may begin at a later block too. */
  readonly mayBeLater: boolean;
}

/** Where the chain ends, and until where it is final. */
export interface ChainEnd {
  readonly head: Checkpoint;
  readonly finalizedNumber: bigint;
  /** When the chain was asked. */
  readonly readAt: Date;
}

/** A transfer with the time of its block. */
export interface TimedTransfer extends IndexedTransfer {
  readonly blockTime: Date;
}

/** What the next look at the chain gave. */
export type Step =
  /** Nothing was read before: from here it goes on. `before` is null when the first block of all is the start. */
  | {
      readonly kind: 'open';
      readonly end: ChainEnd;
      readonly before: Checkpoint | null;
      readonly opening: bigint | null;
    }
  | { readonly kind: 'current'; readonly end: ChainEnd }
  /** The node shows fewer blocks than were read, and the same ones: it is late, or the chain has lost its newest. */
  | { readonly kind: 'behind'; readonly end: ChainEnd; readonly at: Checkpoint }
  /** The chain has other blocks after this one than were read. */
  | { readonly kind: 'rollback'; readonly end: ChainEnd; readonly to: Checkpoint }
  | {
      readonly kind: 'extend';
      readonly end: ChainEnd;
      readonly blocks: readonly Checkpoint[];
      readonly last: Checkpoint;
      readonly transfers: readonly TimedTransfer[];
    };

/** The node serves a chain that shares no block with the one that was read: nothing of it may go into these books. */
export class ChainDiverged extends Error {
  override readonly name = 'ChainDiverged';
}

export interface ReaderSettings {
  readonly chain: Chain;
  readonly token: Token;
  readonly payTo: Hex;
  readonly confirmations: bigint | null;
  readonly clock: Clock;
}

/** The remembered blocks at or below a number, the highest first. */
export type Checkpoints = (atOrBelow: bigint, limit: number) => Promise<readonly Checkpoint[]>;

// So many of the newest blocks are remembered one by one: a reorganization among them is found to the block.
const recentBlocks = 256n;
const fewTransfers = 500;
const manyTransfers = 2_000;
const checkpointsAtOnce = 50;

/**
 * Reads the chain step by step, for whoever keeps the position. Every step is checked against itself: a range whose
 * blocks changed while it was read is refused with a `ChainError` 'reorganized', and is read again by the next step.
 */
export class ChainReader {
  readonly #indexer: Indexer;
  // Grows while there is little to read, so that one step's transfers always fit in memory.
  #range = 64n;

  constructor(private readonly settings: ReaderSettings) {
    this.#indexer = createIndexer(settings.chain);
  }

  /**
   * Where the reading begins: there, or, where it may, behind the newest block if the node no longer knows the balance.
   */
  async open({ startBlock, mayBeLater }: ChainStart): Promise<Step & { readonly kind: 'open' }> {
    const end = await this.#end();
    if (startBlock === 0n) return { kind: 'open', end, before: null, opening: 0n };
    const before = await this.#checkpoint(startBlock - 1n);
    const opening = await this.balanceAt(before.number);
    if (opening !== null || !mayBeLater) return { kind: 'open', end, before, opening };
    return { kind: 'open', end, before: end.head, opening: await this.balanceAt(end.head.number) };
  }

  /** The next step from a position. */
  async next(position: ChainPosition, checkpoints: Checkpoints): Promise<Step> {
    const end = await this.#end();
    const { blockNumber, blockHash } = position;
    if (end.head.number < blockNumber) return this.#behind(end, position, checkpoints);
    if (end.head.number > blockNumber) return this.#extend(end, position, checkpoints);
    if (end.head.hash === blockHash) return { kind: 'current', end };
    return this.#rollback(end, position, checkpoints);
  }

  /** What the wallet held after a block; null when the node cannot tell. */
  async balanceAt(blockNumber: bigint): Promise<bigint | null> {
    const { token, payTo } = this.settings;
    try {
      return await this.#indexer.balanceOf(token.address, payTo, blockNumber);
    } catch (error) {
      if (error instanceof ChainError && error.kind === 'not-a-token') return 0n;
      if (error instanceof ChainError && ['state-unavailable', 'unknown-block'].includes(error.kind)) return null;
      throw error;
    }
  }

  /** The hash of a block, as the chain has it now. */
  async hashAt(blockNumber: bigint): Promise<string> {
    return (await this.#checkpoint(blockNumber)).hash;
  }

  async #end(): Promise<ChainEnd> {
    const { clock, confirmations } = this.settings;
    const readAt = clock();
    const { latest, finalized }: Head = await this.#indexer.readHead();
    const confirmed = confirmations === null ? finalized.number : latest.number - confirmations;
    return { head: checkpointOf(latest), finalizedNumber: confirmed > 0n ? confirmed : 0n, readAt };
  }

  async #behind(end: ChainEnd, position: ChainPosition, checkpoints: Checkpoints): Promise<Step> {
    const [at] = await checkpoints(end.head.number, 1);
    const same = at !== undefined && (await this.hashAt(at.number)) === at.hash;
    return same ? { kind: 'behind', end, at } : this.#rollback(end, position, checkpoints);
  }

  async #extend(end: ChainEnd, position: ChainPosition, checkpoints: Checkpoints): Promise<Step> {
    const { chain, token, payTo } = this.settings;
    const from = position.blockNumber + 1n;
    const settled = smaller(end.finalizedNumber, end.head.number - recentBlocks);
    const dense = from > settled;
    const to = smaller(
      dense ? end.head.number : settled,
      from + (dense ? smaller(this.#range, recentBlocks) : this.#range) - 1n,
    );
    const headers = dense
      ? await this.#indexer.readBlocks(from, to)
      : [...(await this.#indexer.readBlocks(from, from)), ...(to > from ? await this.#indexer.readBlocks(to, to) : [])];
    const [first] = headers;
    const last = headers.at(-1);
    if (first === undefined || last === undefined) throw new Error(`blocks ${from} to ${to} have no headers`);
    if (position.blockHash !== null && first.parentHash !== position.blockHash) {
      return this.#rollback(end, position, checkpoints);
    }
    const asked = { asset: token.address, payTo, fromBlock: from, toBlock: to };
    const transfers = await this.#time(await this.#indexer.readTransfers(asked), headers);
    if ((await this.hashAt(to)) !== last.hash) throw reorganized(to);
    this.#adapt(transfers.length, BigInt(chain.maxLogRange));
    return { kind: 'extend', end, blocks: headers.map(checkpointOf), last: checkpointOf(last), transfers };
  }

  /** The newest remembered block that the chain still has. */
  async #rollback(end: ChainEnd, position: ChainPosition, checkpoints: Checkpoints): Promise<Step> {
    for (let top = smaller(position.blockNumber, end.head.number); ; ) {
      const page = await checkpoints(top, checkpointsAtOnce);
      const lowest = page.at(-1);
      if (lowest === undefined) {
        throw new ChainDiverged('the node serves another chain than the one these books were kept on');
      }
      const hashes = await Promise.all(page.map(async ({ number }) => this.hashAt(number)));
      const to = page.find(({ hash }, index) => hash === hashes[index]);
      if (to !== undefined) return { kind: 'rollback', end, to };
      top = lowest.number - 1n;
    }
  }

  /** Gives each transfer the time of its block. One whose block is not the one that was read is no fact. */
  async #time(
    transfers: readonly IndexedTransfer[],
    headers: readonly BlockHeader[],
  ): Promise<readonly TimedTransfer[]> {
    const blocks = new Map(headers.map((header) => [header.number, checkpointOf(header)]));
    const missing = [...new Set(transfers.map(({ blockNumber }) => blockNumber))].filter(
      (number) => !blocks.has(number),
    );
    for (const block of await Promise.all(missing.map(async (number) => this.#checkpoint(number)))) {
      blocks.set(block.number, block);
    }
    return transfers.map((transfer) => {
      const block = blocks.get(transfer.blockNumber);
      if (block?.hash !== transfer.blockHash) throw reorganized(transfer.blockNumber);
      return { ...transfer, blockTime: block.time };
    });
  }

  async #checkpoint(number: bigint): Promise<Checkpoint> {
    const [header] = await this.#indexer.readBlocks(number, number);
    if (header === undefined) throw new ChainError('unknown-block', `the node does not have block ${number}`);
    return checkpointOf(header);
  }

  #adapt(transfers: number, largest: bigint): void {
    if (transfers > manyTransfers && this.#range > 1n) this.#range /= 2n;
    else if (transfers < fewTransfers) this.#range = smaller(this.#range * 2n, largest);
  }
}

function checkpointOf({ number, hash, timestamp }: BlockHeader): Checkpoint {
  return { number, hash, time: new Date(Number(timestamp) * 1_000) };
}

function reorganized(block: bigint): ChainError {
  return new ChainError('reorganized', `block ${block} changed while it was read`);
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
