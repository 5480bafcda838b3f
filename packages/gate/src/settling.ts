import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import type { Sql } from '@keyfare/db/sql';
import type { MinedSettlement } from './settlement-metrics.js';

/** What a settlement must know of a payment in order to move it, whether or not a call was served for it. */
export interface Movement {
  readonly exchangeId: string;
  /** CAIP-2. */
  readonly network: string;
  readonly asset: Address;
  readonly payer: Address;
  readonly nonce: Hex;
  readonly amount: bigint;
  readonly payTo: Address;
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** 0x-prefixed hex, as it will go to the contract. */
  readonly signature: Hex;
  /** The authorization was seen unused at this block: its use is in none before. */
  readonly unusedAtBlock: bigint;
}

/** How a settling payment ended. */
export type PaymentOutcome =
  | { readonly kind: 'settled'; readonly transaction: Hex }
  | { readonly kind: 'failed'; readonly transaction: Hex | null; readonly reason: string };

/** A payment that shall be settled now. */
export interface Submission {
  readonly movement: Movement;
  /** What the receipt will say, kept with the payment; null where no call was served for it. */
  readonly call: object | null;
  /** Until when a caller waits; null when nobody does. */
  readonly waitingUntil: Date | null;
  /** Goes in a transaction of its own: the payer's code may use the gas of those behind it. */
  readonly alone: boolean;
}

/** A payment under way. */
export interface Watch {
  /** How it ended. */
  readonly ended: Promise<PaymentOutcome>;
  /**
   * Its transaction did not move it and the authorization is still good: the end may be far off, nobody should wait.
   */
  readonly reverted: Promise<null>;
}

/**
 * What came of a submission. `taken`: the payment is no longer this process's, which its peers thought dead. `expired`:
 * the authorization has run out. In both cases nothing was stored for it, and nothing may be sent.
 */
export type Submitted = Watch | 'taken' | 'expired';

/** A payment as a settlement takes it over from the database. */
export interface Resumed {
  readonly movement: Movement;
  readonly wallet: string;
  readonly walletNonce: number;
  /** The transaction that moved it, when that is known already. */
  readonly transaction: Hex | null;
}

/** Where the settlements of a group go: nonces of a wallet from `firstNonce` on. */
export interface Numbering {
  readonly wallet: string;
  readonly firstNonce: number;
}

/** A payment and the nonce of the transaction that shall move it. */
export interface Numbered {
  readonly exchangeId: string;
  readonly walletNonce: number;
}

/** What served payments in one asset come to that wait to be settled in bulk. */
interface WaitingAmount {
  readonly asset: Address;
  readonly amount: bigint;
}

/** Served payments that wait to be settled in bulk, taken together but for their amounts. */
export interface Waiting {
  readonly count: number;
  readonly amounts: readonly WaitingAmount[];
  /** When the first was served; null when there is none. */
  readonly oldest: Date | null;
  /** Unix seconds; the first to run out. Null when there is none. */
  readonly validBefore: bigint | null;
}

/** What one payer has waiting. */
export interface PayerWaiting {
  readonly payer: Address;
  readonly asset: Address;
  readonly amount: bigint;
}

/** Which of the served payments of a network are meant. */
export interface DeferredQuestion {
  readonly network: string;
  /** Exchange ids of payments that are left out. */
  readonly except: readonly string[];
}

/**
 * What a settlement asks of the room that keeps payments. Each method is one statement; those with `tx` belong to the
 * caller's transaction.
 */
export abstract class PaymentLedger {
  /**
   * `claimed` or `served` → `settling`, for those that are still this process's to settle; answers those. Submissions
   * with the same number in `shares` share a nonce.
   */
  abstract start(
    tx: Sql,
    submissions: readonly Submission[],
    numbering: Numbering & { readonly shares: readonly number[] },
  ): Promise<readonly Numbered[]>;
  /** Gives settling payments another nonce; answers those that are still settling. */
  abstract renumber(tx: Sql, exchangeIds: readonly string[], numbering: Numbering): Promise<readonly Numbered[]>;
  /** The nonces that these payments were given before. */
  abstract numbers(tx: Sql, exchangeIds: readonly string[]): Promise<readonly Numbered[]>;
  /** `settled` → `final`; answers which of these are final now. */
  abstract finalize(exchangeIds: readonly string[]): Promise<readonly string[]>;
  /** `final` → `settled`, for payments of these nonces: the chain has lost blocks that counted as final. */
  abstract reopen(network: string, wallet: string, fromNonce: number): Promise<readonly Resumed[]>;
  /** The payments of these ids that have a transaction stored and are not final. */
  abstract resume(exchangeIds: readonly string[]): Promise<readonly Resumed[]>;
  /** What waits to be settled in bulk. */
  abstract waiting(question: DeferredQuestion): Promise<Waiting>;
  /** Who has the most waiting, so many payers at most. */
  abstract waitingByPayer(question: DeferredQuestion, limit: number): Promise<readonly PayerWaiting[]>;
  /** Payments that wait, of these payers only when they are named; those that run out first before the others. */
  abstract deferred(
    question: DeferredQuestion & { readonly payers?: readonly Address[]; readonly limit: number },
  ): Promise<readonly Movement[]>;
}

/** What the room that settles tells of payments, for the corridor to write into the books. Nothing here may throw. */
export interface SettlementEvents {
  /** A payment ended that no caller waits for. */
  ended(exchangeId: string, outcome: PaymentOutcome): void;
  /** The chain dropped the transaction that had moved a settled payment: another one moved it, or none ever will. */
  dropped(exchangeId: string, dropped: Hex, outcome: PaymentOutcome): void;
  /** A transaction of ours was mined and did not move this payment. */
  reverted(payer: Address): void;
  /** A transaction of ours came into a block; told once for each. */
  mined(settlement: MinedSettlement): void;
  /** This process learned the outcome of a payment that it followed. */
  concluded(network: string, outcome: PaymentOutcome['kind']): void;
}

/** What settles on a network in this process, at the moment. */
export interface SettlerState {
  /** CAIP-2. */
  readonly network: string;
  /** Submissions that wait to be signed and stored. */
  readonly queued: number;
  /** Submitted payments whose outcome is not known. */
  readonly underWay: number;
  /** For how many seconds the oldest of them has waited to be mined; 0 where none waits. */
  readonly oldestSeconds: number;
  /** The node refuses a transaction of the settler. */
  readonly refused: boolean;
  /** When this process last saw a settlement in a block; null when it has seen none. */
  readonly lastMinedAt: Date | null;
  /** Deferred payments that waited to be collected when that was last looked at. */
  readonly collectable: Pick<Waiting, 'count' | 'amounts'>;
}

/** What payments ask of the room that settles them. */
export abstract class Settlements {
  /** How many payments are under way. */
  abstract readonly underWay: number;
  abstract listen(events: SettlementEvents): void;
  /**
   * Whether the node refuses a transaction of the network's settler, so that no new work should be done for a payment.
   */
  abstract refuses(network: string): boolean;
  /** Signs, stores and broadcasts. Payments that are submitted at the same moment may share a transaction. */
  abstract submit(submission: Submission): Promise<Submitted>;
  abstract isUnderWay(exchangeId: string): boolean;
  /** Follows payments that are in the database and in no process's hands. */
  abstract follow(exchangeIds: readonly string[]): Promise<void>;
}
