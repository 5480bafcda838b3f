import type { Clock } from '@keyfare/core/time';
import type { Network, SignatureVerifier } from '@keyfare/core/x402';
import { type Address, type Hex, keccak256, toHex } from 'viem';
import { runCall } from './contracts.js';
import { Reverted, RpcFault } from './fault.js';
import { intrinsicGas, type Pending, Pool, readTransaction } from './pool.js';
import { ChainState } from './state.js';
import { type Call, type Event, type Outcome, Token } from './token.js';

/** A block, and the transactions in it. */
export interface Block {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  /** Unix seconds. */
  readonly timestamp: bigint;
  readonly transactions: readonly Mined[];
}

/** A transaction in a block. */
export interface Mined {
  readonly transaction: Pending;
  readonly block: number;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly effectiveGasPrice: bigint;
  readonly events: readonly Event[];
}

/** What happens to transactions that the chain takes. */
export type Mood = 'settles' | 'reverts' | 'hangs';

/** 1 gwei, as a quiet chain has it. It does not move here. */
export const baseFeePerGas = 1_000_000_000n;
/** What a transfer by authorization costs beside its calldata, about as on Base. */
const transferGas = 60_000n;
const blockGas = 30_000_000n;
/** Blocks on top of each one with transactions, so that what is final on a test network is final at once. */
const confirmations = 2;

/** Blocks, accounts and the contracts of one chain, without a wire. */
export class Ledger {
  readonly state = new ChainState();
  readonly token: Token;
  readonly pool: Pool;
  readonly #mined = new Map<Hex, Mined>();
  readonly #blocks: Block[] = [];
  mood: Mood = 'settles';

  constructor(
    readonly network: Network,
    verifier: SignatureVerifier,
    private readonly clock: Clock,
  ) {
    this.token = new Token(network, this.state, verifier);
    this.pool = new Pool({
      chainId: network.chainId,
      baseFeePerGas,
      minedCount: (address) => this.minedCount(address),
      etherOf: (address) => this.etherOf(address),
    });
    this.#append([]);
  }

  get head(): Block {
    return this.#blocks.at(-1) as Block;
  }

  blockAt(number: number): Block | undefined {
    return this.#blocks[number];
  }

  receiptOf(hash: string): Mined | undefined {
    return this.#mined.get(hash.toLowerCase() as Hex);
  }

  blocksBetween(from: number, to: number): readonly Block[] {
    return this.#blocks.slice(from, to + 1);
  }

  minedCount(address: Address): number {
    return Number(this.state.read(`nonce ${address.toLowerCase()}`));
  }

  etherOf(address: Address): bigint {
    return this.state.read(`ether ${address.toLowerCase()}`);
  }

  setEther(address: Address, wei: bigint): void {
    this.state.write(`ether ${address.toLowerCase()}`, wei, this.head.number);
  }

  /** Unix seconds. Time never goes back from one block to the next. */
  get now(): bigint {
    const seconds = BigInt(Math.floor(this.clock().getTime() / 1_000));
    return this.#blocks.length > 0 && seconds < this.head.timestamp ? this.head.timestamp : seconds;
  }

  /** Runs a call without keeping what it does; one that only reads, as of the block `at`. Throws `Reverted`. */
  try(call: Pick<Call, 'from' | 'to' | 'data'>, { gas, at }: { gas?: bigint; at?: number } = {}): Outcome {
    if (gas !== undefined && gas < intrinsicGas(call.data)) throw new RpcFault(-32_000, 'intrinsic gas too low');
    const inNext = { ...call, block: this.head.number + 1, timestamp: this.now };
    const place = { token: this.token, state: this.state, ...(at === undefined ? {} : { at }) };
    const outcome = this.state.attempt(() => runCall(inNext, place), true);
    if (gas !== undefined && gasOf(call.data, outcome) > gas) throw new RpcFault(-32_000, 'out of gas');
    return outcome;
  }

  /** Takes a signed transaction. What becomes of it is the mood's to say. Throws `RpcFault`. */
  async send(raw: Hex): Promise<Hex> {
    const transaction = await readTransaction(raw, this.network.chainId);
    if (this.#mined.has(transaction.hash)) throw new RpcFault(-32_000, 'already known');
    this.pool.add(transaction);
    if (this.mood !== 'hangs') this.mine();
    return transaction.hash;
  }

  /** Mines what waits, and two blocks on top. */
  mine(): void {
    const transactions = this.pool.take();
    if (transactions.length > 0) this.#append(transactions);
    for (let block = 0; block < confirmations; block += 1) this.#append([]);
  }

  #append(transactions: readonly Pending[]): void {
    const number = this.#blocks.length;
    const timestamp = this.now;
    const parentHash = this.#blocks.at(-1)?.hash ?? `0x${'0'.repeat(64)}`;
    const mined = transactions.map((transaction) => this.#execute(transaction, { block: number, timestamp }));
    for (const entry of mined) this.#mined.set(entry.transaction.hash, entry);
    this.state.keep();
    const hash = keccak256(toHex([parentHash, number, ...transactions.map((entry) => entry.hash)].join()));
    this.#blocks.push({ number, hash, parentHash, timestamp, transactions: mined });
  }

  #execute(transaction: Pending, { block, timestamp }: Pick<Call, 'block' | 'timestamp'>): Mined {
    const { from, to, data, nonce, gas, maxFeePerGas, maxPriorityFeePerGas } = transaction;
    this.state.write(`nonce ${from}`, BigInt(nonce + 1), block);
    const outcome = this.#outcome({ from, to, data, block, timestamp }, gas);
    const gasUsed = outcome === null ? intrinsicGas(data) + transferGas / 2n : gasOf(data, outcome);
    const asked = baseFeePerGas + maxPriorityFeePerGas;
    const effectiveGasPrice = asked < maxFeePerGas ? asked : maxFeePerGas;
    this.state.write(`ether ${from}`, this.etherOf(from) - gasUsed * effectiveGasPrice, block);
    return {
      transaction,
      block,
      succeeded: outcome !== null,
      gasUsed,
      effectiveGasPrice,
      events: outcome?.events ?? [],
    };
  }

  /** Null for a transaction that reverts: by itself, for want of gas, or because the chain is in that mood. */
  #outcome(call: Call, gas: bigint): Outcome | null {
    try {
      return this.state.attempt(() => {
        const outcome = runCall(call, { token: this.token, state: this.state });
        if (this.mood === 'reverts' || gasOf(call.data, outcome) > gas) throw new Reverted('', '0x');
        return outcome;
      });
    } catch (error) {
      if (error instanceof Reverted) return null;
      throw error;
    }
  }
}

function gasOf(data: Hex, { events }: Outcome): bigint {
  const gas = intrinsicGas(data) + (transferGas * BigInt(events.length)) / 2n;
  return gas < blockGas ? gas : blockGas;
}
