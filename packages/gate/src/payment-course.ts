import type { Hex } from '@keyfare/core/encoding';
import { Injectable } from '@nestjs/common';
import { Networks } from './networks.js';
import type { PaymentSummary } from './payment-history.js';
import { type Part, StatusPart } from './status-part.js';

/** Where the transaction of a payment is in the chain, as the node has it now. */
export interface OnChain {
  /** Null for one that is in no block. */
  readonly block: bigint | null;
  readonly blockAt: Date | null;
  /** Blocks on top of its own. */
  readonly confirmations: bigint | null;
  /** After so many it is final. */
  readonly finalAfter: number;
  /** Whether it went through; of a batch that says nothing of a single payment. */
  readonly succeeded: boolean | null;
}

/** Asks the chain about single payments, for operators who look at one. */
@Injectable()
export class PaymentCourse {
  constructor(private readonly networks: Networks) {}

  /** Null where no transaction was sent; `unavailable` where the node does not answer in two seconds. */
  async read({ network, transaction, attempts }: PaymentSummary): Promise<Part<OnChain> | null> {
    const hash = transaction ?? attempts.at(-1)?.transaction;
    if (hash === undefined) return null;
    return new StatusPart(async () => this.#ask(network, hash as Hex)).read();
  }

  async #ask(network: string, hash: Hex): Promise<OnChain> {
    const { chain, settings } = this.networks.get(network);
    const [[outcome = null], head] = await Promise.all([chain.receipts([hash]), chain.blockNumber()]);
    const { confirmations: finalAfter } = settings;
    if (outcome === null) return { block: null, blockAt: null, confirmations: null, finalAfter, succeeded: null };
    const { blockNumber: block, succeeded } = outcome;
    const seconds = await chain.blockTime(block);
    return {
      block,
      blockAt: seconds === null ? null : new Date(Number(seconds) * 1_000),
      confirmations: head > block ? head - block : 0n,
      finalAfter,
      succeeded,
    };
  }
}
