import { type Clock, systemClock } from '@keyfare/core/time';
import { findNetwork, loadSignatureVerifier, type Network } from '@keyfare/core/x402';
import type { Address, Hex } from 'viem';
import { Ledger } from './ledger.js';
import { serveChain } from './server.js';

/** A chain that obeys: a JSON-RPC node on loopback with USDC, whose transactions fare as the test says. */
export interface TestChain {
  readonly network: Network;
  readonly rpcUrl: string;
  /**
   * From now on transactions are mined when they arrive, and final. Those that wait are mined now. The mood at the
   * start.
   */
  settles(): void;
  /**
   * From now on transactions are mined when they arrive, and revert whatever they hold, as when a payer spends its
   * money between our look and the block. Those that wait revert now.
   */
  reverts(): void;
  /** From now on transactions are taken and wait. */
  hangs(): void;
  /** Mines what waits, in the mood of the moment, and two blocks on top. */
  mine(): void;
  /** From now on the node answers nothing: connections break. */
  leaves(): void;
  /** The node answers again. */
  returns(): void;
  /** The number of the newest block. */
  readonly blockNumber: number;
  /** Transactions that wait for a block. */
  readonly waiting: number;
  /** USDC of an address, in atomic units. */
  balanceOf(holder: Address): bigint;
  /** Makes it so. */
  setBalance(holder: Address, amount: bigint): void;
  /** Wei of an address. */
  etherOf(holder: Address): bigint;
  setEther(holder: Address, wei: bigint): void;
  /** Whether the authorization of that nonce was used. */
  isUsed(authorizer: Address, nonce: Hex): boolean;
  close(): Promise<void>;
}

/** Which chain to play. */
export interface TestChainOptions {
  /** Name or CAIP-2 identifier. @default 'base-sepolia' */
  readonly network?: string;
  /** What blocks are dated by. @default the machine's */
  readonly clock?: Clock;
}

/**
 * Starts a chain in this process. It checks what a chain and FiatTokenV2_2 check (signatures, nonces, times, balances,
 * fees) and refuses calls that it does not play, with a line on stderr. It plays USDC and Multicall3's `aggregate3`,
 * and no other contract. `TypeError` for a network that payments are not taken on.
 *
 * @example
 * const chain = await startTestChain();
 * chain.setBalance(payer.address, 1_000_000n); // 1 USDC
 * chain.hangs();
 */
export async function startTestChain({
  network: name = 'base-sepolia',
  clock,
}: TestChainOptions = {}): Promise<TestChain> {
  const network = findNetwork(name);
  if (network === null) throw new TypeError(`payments are not taken on a network ${JSON.stringify(name)}`);
  const ledger = new Ledger(network, await loadSignatureVerifier(), clock ?? systemClock);
  const server = await serveChain(ledger);
  const mineInMood = (mood: 'settles' | 'reverts'): void => {
    ledger.mood = mood;
    ledger.mine();
  };
  return {
    network,
    rpcUrl: server.url,
    settles: () => mineInMood('settles'),
    reverts: () => mineInMood('reverts'),
    hangs: () => {
      ledger.mood = 'hangs';
    },
    mine: () => ledger.mine(),
    leaves: () => {
      server.isAway = true;
    },
    returns: () => {
      server.isAway = false;
    },
    get blockNumber() {
      return ledger.head.number;
    },
    get waiting() {
      return ledger.pool.size;
    },
    balanceOf: (holder) => ledger.token.balanceOf(holder),
    setBalance: (holder, amount) => ledger.token.setBalance(holder, amount, ledger.head.number),
    etherOf: (holder) => ledger.etherOf(holder),
    setEther: (holder, wei) => ledger.setEther(holder, wei),
    isUsed: (authorizer, nonce) => ledger.token.isUsed(authorizer, nonce),
    close: async () => server.close(),
  };
}
