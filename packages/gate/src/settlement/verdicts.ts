import type { Hex } from '@keyfare/core/encoding';
import type { TransactionOutcome } from '@keyfare/evm/chain';
import type { PaymentLedger, PaymentOutcome, SettlementEvents } from '../settling.js';
import { hasMoved, type Judge } from './judge.js';
import { type Item, never, type Slot } from './slot.js';

const longestOpenPauseMs = 30_000;

/** What verdicts on settlements need. */
export interface VerdictContext {
  readonly judge: Judge;
  readonly ledger: PaymentLedger;
  readonly events: () => SettlementEvents;
  /** CAIP-2. */
  readonly network: string;
  readonly now: () => Date;
  /** Blocks on top of a settlement's after which it is final. */
  readonly confirmations: number;
}

/**
 * Takes what the chain says of a settlement to the payments in it, each by its own logs: one that was not moved hurts
 * none of the others.
 */
export class Verdicts {
  /** When a settlement was last seen in a block. */
  lastMinedAt: Date | null = null;

  constructor(private readonly context: VerdictContext) {}

  /** A transaction of the slot is in a block, for the first time or again. */
  takeMined(slot: Slot, mined: TransactionOutcome): void {
    slot.mined = mined;
    slot.refused = false;
    slot.nonceTaken = false;
    this.#tell(slot, mined);
    for (const item of slot.items.values()) {
      if (hasMoved(mined, item.movement)) this.#settle(item, mined.hash);
      else if (!this.#isSettledElsewhere(slot, item)) this.#open(item, mined);
    }
  }

  /**
   * Asks for the end of an item that its own transaction did not move. Where there is none yet, `sendAgain` may find it
   * another transaction. Answers whether the slot may forget it.
   */
  async reconsider(item: Item, sendAgain: () => Promise<boolean>): Promise<boolean> {
    const { open } = item;
    if (open === undefined) return false;
    const outcome = await this.context.judge.findEnd(item.movement, open.mined);
    if (outcome === undefined) {
      if (await sendAgain()) return false;
      if (!open.isTold) {
        open.isTold = true;
        item.revert(null);
        this.context.events().reverted(item.movement.payer);
      }
      open.pauseMs = Math.min(open.pauseMs * 2, longestOpenPauseMs);
      open.lookAtMs = performance.now() + open.pauseMs;
      return false;
    }
    return this.conclude(item, outcome);
  }

  /** An item has ended without its slot. Answers whether it may be forgotten: one that was moved waits to be final. */
  conclude(item: Item, outcome: PaymentOutcome): boolean {
    item.open = undefined;
    if (outcome.kind === 'settled') {
      this.#settle(item, outcome.transaction);
      return false;
    }
    if (item.transaction === null) this.#end(item, outcome);
    else this.context.events().dropped(item.movement.exchangeId, item.transaction, outcome);
    return true;
  }

  /**
   * Makes final what has enough blocks on top, by one more look at its receipts, and forgets it. Where a receipt is not
   * there any more, the slot is in no block again, and is sent anew.
   */
  async confirm(slot: Slot, head: bigint): Promise<void> {
    const { mined, items } = slot;
    if (mined === undefined) return;
    const moved = [...items.values()].filter(({ transaction }) => transaction !== null);
    if (moved.length === 0 || head < mined.blockNumber + BigInt(this.context.confirmations)) return;
    if (this.context.confirmations > 0 && !(await this.#areThere(slot, moved, head))) return;
    const ids = moved.map(({ movement }) => movement.exchangeId);
    for (const id of await this.context.ledger.finalize(ids)) items.delete(id);
  }

  #tell(slot: Slot, outcome: TransactionOutcome): void {
    if (slot.told === outcome.hash) return;
    slot.told = outcome.hash;
    this.lastMinedAt = this.context.now();
    const unmoved = [...slot.items.values()].filter(({ movement }) => !hasMoved(outcome, movement)).length;
    this.context.events().mined({ network: this.context.network, outcome, unmoved });
  }

  /** The chain has lost the slot's transaction, or never had it: it is sent again at once. */
  lose(slot: Slot): void {
    slot.mined = undefined;
    slot.sentAtMs = never;
    slot.isDue = true;
  }

  async #areThere(slot: Slot, moved: readonly Item[], head: bigint): Promise<boolean> {
    const hashes = [...new Set(moved.flatMap(({ transaction }) => (transaction === null ? [] : [transaction])))];
    const found = await Promise.all(hashes.map((hash) => this.context.judge.find(hash)));
    const byHash = new Map(found.flatMap((one) => (one === null ? [] : [[one.hash, one] as const])));
    for (const { transaction, movement } of moved) {
      const receipt = transaction === null ? undefined : byHash.get(transaction);
      if (receipt === undefined || !hasMoved(receipt, movement)) {
        this.lose(slot);
        slot.nonceTaken = true;
        return false;
      }
      if (head < receipt.blockNumber + BigInt(this.context.confirmations)) return false;
    }
    return true;
  }

  #settle(item: Item, transaction: Hex): void {
    const before = item.transaction;
    item.open = undefined;
    item.transaction = transaction;
    if (before === null) this.#end(item, { kind: 'settled', transaction });
    else if (before !== transaction) {
      this.context.events().dropped(item.movement.exchangeId, before, { kind: 'settled', transaction });
    }
  }

  #end(item: Item, outcome: PaymentOutcome): void {
    this.context.events().concluded(this.context.network, outcome.kind);
    item.end(outcome);
  }

  #open(item: Item, mined: TransactionOutcome): void {
    const pauseMs = Math.min(item.open?.pauseMs ?? 500, longestOpenPauseMs);
    item.open = { mined, pauseMs, lookAtMs: never, isTold: false };
  }

  /** Somebody else submitted the authorization, and that transaction is no concern of this slot's. */
  #isSettledElsewhere(slot: Slot, { transaction }: Item): boolean {
    return transaction !== null && !slot.transactions.some(({ hash }) => hash === transaction);
  }
}
