import { type BroadcastOutcome, type Chain, ChainUnavailable, type Simulation } from '@keyfare/evm/chain';
import type { Movement, PaymentLedger, Resumed, Watch } from '../settling.js';
import { BlockPace } from './block-pace.js';
import type { Judge } from './judge.js';
import { deferred, type Item, never, newItem, newSlot, type Slot } from './slot.js';
import type { Placed, Submissions } from './submissions.js';
import type { Verdicts } from './verdicts.js';

export interface WatcherSettings {
  readonly chain: Chain;
  readonly network: string;
  readonly submissions: Submissions;
  readonly judge: Judge;
  /** Tries a payment's transfer by itself. */
  readonly simulate: (movement: Movement) => Promise<Simulation>;
  readonly verdicts: Verdicts;
  readonly ledger: PaymentLedger;
  readonly shortestPollMs: number;
  readonly longestPollMs: number;
  /** The same bytes are sent again after so long without a receipt. */
  readonly rebroadcastAfterMs: number;
  /** What the node refused is offered again after so long. */
  readonly retryAfterMs: number;
  /** Higher fees are offered after so long without a receipt. */
  readonly replaceAfterMs: number;
  readonly onTrouble: (error: unknown) => void;
  /** Runs what is done for all payments apart from the call that it was begun for. */
  readonly apart: <T>(work: () => T) => T;
}

const longestPauseMs = 30_000;

/**
 * Follows settlements until they are final. One loop sends what is due and, when a block came, asks for all of them in
 * one request. Polls until every payment has ended or `close()`; then another process takes over from the database.
 */
export class Watcher {
  readonly #settings: WatcherSettings;
  readonly #pace: BlockPace;
  readonly #slots = new Map<number, Slot>();
  readonly #slotOf = new Map<string, Slot>();
  /** The most transactions of the wallet that the chain ever counted: when it counts fewer, it has lost blocks. */
  #counted = 0;
  #head = 0n;
  #askedAtMs = never;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(settings: WatcherSettings) {
    this.#settings = settings;
    this.#pace = new BlockPace(settings.shortestPollMs, settings.longestPollMs);
  }

  /** How many payments are under way: not known to have ended. */
  get size(): number {
    return this.#all().reduce(
      (sum, { items }) => sum + [...items.values()].filter(({ transaction }) => transaction === null).length,
      0,
    );
  }

  /**
   * Whether the node refuses a transaction of the settler, for want of gas money as a rule; those behind it cannot be
   * mined before it. It is offered again and again; until it is taken, no new work should be done for a payment.
   */
  get refused(): boolean {
    return this.#all().some(({ refused, mined }) => refused && mined === undefined);
  }

  /** For how many seconds the oldest settlement has waited to be mined; 0 where none waits. */
  get oldestSeconds(): number {
    const since = Math.min(...this.#unmined().map(({ sinceMs }) => sinceMs));
    return Number.isFinite(since) ? (performance.now() - since) / 1_000 : 0;
  }

  has(exchangeId: string): boolean {
    return this.#slotOf.has(exchangeId);
  }

  /** Broadcasts and follows. The caller decides how long to wait. */
  watch(movement: Movement, placed: Placed): Watch {
    // Blocks that came while nothing waited for one say nothing of their pace.
    if (this.#unmined().length === 0) this.#pace.restart(performance.now());
    const watch = this.#add(movement, { placed, transaction: null });
    this.#start();
    return watch;
  }

  /** Follows a payment of the database; one that was moved already, until that is final. */
  resume({ movement, transaction }: Resumed, placed: Placed): Watch {
    const watch = this.#add(movement, { placed, transaction });
    this.#start();
    return watch;
  }

  /** Looks for lost blocks though nothing is under way. */
  async check(): Promise<void> {
    if (this.#loop === undefined && !this.#closed) await this.#recount();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#loop;
  }

  #add(movement: Movement, { placed, transaction }: { placed: Placed; transaction: Resumed['transaction'] }): Item {
    const known = this.#slotOf.get(movement.exchangeId)?.items.get(movement.exchangeId);
    if (known !== undefined) return known;
    const slot = this.#slots.get(placed.nonce) ?? newSlot(placed);
    const item = newItem(movement, transaction);
    this.#slots.set(placed.nonce, slot);
    slot.items.set(movement.exchangeId, item);
    this.#slotOf.set(movement.exchangeId, slot);
    // Its settlement may be mined already: then the newcomer is looked for in it.
    if (slot.mined !== undefined) this.#settings.verdicts.takeMined(slot, slot.mined);
    return item;
  }

  #start(): void {
    this.#wake?.();
    this.#loop ??= this.#settings.apart(() => this.#run());
  }

  async #run(): Promise<void> {
    this.#pace.restart(performance.now());
    while (this.#slots.size > 0 && !this.#closed) {
      let pauseMs = this.#settings.longestPollMs;
      try {
        await this.#broadcast();
        await this.#look();
        this.#forget();
        pauseMs = this.#unmined().some(({ sentAtMs }) => sentAtMs === never) ? 0 : this.#pauseMs();
      } catch (error) {
        this.#report(error);
      }
      if (pauseMs > 0 && this.#slots.size > 0 && !this.#closed) await this.#sleep(pauseMs);
    }
    // In the same turn as the last look at the size: a newcomer finds either this loop or none.
    this.#loop = undefined;
  }

  /** A newcomer ends the sleep, so that its broadcast does not wait for the others' next turn. */
  async #sleep(forMs: number): Promise<void> {
    const { promise, resolve } = deferred<null>();
    const timer = setTimeout(() => resolve(null), forMs);
    this.#wake = () => resolve(null);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #pauseMs(): number {
    const nowMs = performance.now();
    const looks = this.#all().flatMap(({ items }) =>
      [...items.values()].flatMap(({ open }) => (open === undefined ? [] : [Math.max(0, open.lookAtMs - nowMs)])),
    );
    const untilBlock = this.#unmined().length > 0 ? this.#pace.pauseMs(nowMs) : this.#settings.longestPollMs;
    return Math.min(...looks, this.#settings.longestPollMs, Math.max(1, untilBlock));
  }

  /** Only the newest transaction of a settlement is sent: the node has no use for one that it was offered more for. */
  async #broadcast(): Promise<void> {
    const nowMs = performance.now();
    await Promise.all(this.#unmined().map((slot) => this.#offerMore(slot, nowMs)));
    const { rebroadcastAfterMs, retryAfterMs } = this.#settings;
    const sending = this.#unmined()
      .filter(({ sentAtMs, refused }) => nowMs - sentAtMs > (refused ? retryAfterMs : rebroadcastAfterMs))
      .flatMap((slot) => {
        const newest = slot.transactions.at(-1);
        return newest === undefined ? [] : [{ slot, newest }];
      })
      .toSorted((a, b) => a.newest.nonce - b.newest.nonce);
    if (sending.length === 0) return;
    const answers = await this.#settings.chain.broadcast(sending.map(({ newest }) => newest.raw));
    for (const [index, { slot }] of sending.entries()) this.#hear(slot, answers[index], nowMs);
  }

  #hear(slot: Slot, answer: BroadcastOutcome | undefined, nowMs: number): void {
    if (answer === undefined) return;
    slot.sentAtMs = nowMs;
    if (answer.status !== 'unknown') slot.refused = answer.status === 'rejected' || answer.status === 'unfunded';
    if (answer.status === 'nonce-too-low') {
      slot.nonceTaken = true;
      slot.isDue = true;
    }
    // The fees that are known may be old: more is offered when they have been asked for again, not at every turn.
    if (answer.status === 'underpaid') {
      slot.offeredAtMs = nowMs + this.#settings.retryAfterMs - this.#settings.replaceAfterMs;
    }
    if ('message' in answer) this.#settings.onTrouble(new Error(`a settlement was not taken: ${answer.message}`));
  }

  async #offerMore(slot: Slot, nowMs: number): Promise<void> {
    const last = slot.transactions.at(-1);
    if (last === undefined || nowMs - slot.offeredAtMs < this.#settings.replaceAfterMs) return;
    slot.offeredAtMs = nowMs;
    try {
      const movements = [...slot.items.values()].map(({ movement }) => movement);
      const replacement = await this.#settings.submissions.replace(movements, last);
      if (replacement === null) return;
      slot.transactions = [...slot.transactions, replacement];
      slot.sentAtMs = never;
    } catch (error) {
      this.#report(error);
    }
  }

  /** Asks for receipts when a block came, and otherwise only for what the node said something new of. */
  async #look(): Promise<void> {
    const moved = await this.#askBlock();
    if (moved) await this.#recount();
    const nowMs = performance.now();
    const due = this.#unmined().filter(({ isDue, notBeforeMs }) => (moved || isDue) && notBeforeMs <= nowMs);
    await Promise.all(due.map((slot) => this.#lookAt(slot)));
    await Promise.all(this.#all().map((slot) => this.#reconsider(slot, nowMs)));
    const mined = this.#all().filter((slot) => slot.mined !== undefined && slot.notBeforeMs <= performance.now());
    await Promise.all(
      mined.map((slot) => this.#attempt(slot, () => this.#settings.verdicts.confirm(slot, this.#head))),
    );
  }

  /** Whether a block came. While nothing waits to be mined, it is asked as seldom as can be. */
  async #askBlock(): Promise<boolean> {
    const nowMs = performance.now();
    const waits = this.#unmined().length > 0;
    if (waits ? this.#pace.pauseMs(nowMs) > 0 : nowMs - this.#askedAtMs < this.#settings.longestPollMs) return false;
    const before = this.#head;
    this.#head = await this.#settings.chain.blockNumber();
    this.#askedAtMs = performance.now();
    return waits ? this.#pace.saw(this.#head, this.#askedAtMs) : this.#head !== before;
  }

  /**
   * Compares how many transactions of the wallet the chain counts. What it counts no more was in blocks that it has
   * lost, or in none, whatever a node said: it is sent again at once, what counted as final too.
   */
  async #recount(): Promise<void> {
    const { chain, submissions, ledger, verdicts, network } = this.#settings;
    const count = await chain.transactionCount(submissions.address);
    for (const slot of this.#all()) if (slot.mined !== undefined && slot.nonce >= count) verdicts.lose(slot);
    if (count < this.#counted) {
      const reopened = await ledger.reopen(network, submissions.address, count);
      for (const one of reopened) {
        const placed = { nonce: one.walletNonce, transactions: await submissions.find(one.walletNonce) };
        this.#add(one.movement, { placed, transaction: one.transaction });
      }
      await submissions.sendFrom(count);
      if (reopened.length > 0) this.#start();
    }
    this.#counted = count;
  }

  /** What cannot be judged is looked at again, and keeps nobody else waiting. */
  async #lookAt(slot: Slot): Promise<void> {
    slot.isDue = false;
    await this.#attempt(slot, async () => {
      const verdict = await this.#settings.judge.judge(slot);
      if (verdict.kind === 'mined') this.#settings.verdicts.takeMined(slot, verdict.mined);
      else if (verdict.kind === 'superseded') await this.#renew(slot);
    });
    if (slot.failures > 0) slot.isDue = true;
  }

  /** Something else has used the slot's nonce: what is left of its payments moves to a fresh one. */
  async #renew(slot: Slot): Promise<void> {
    const { judge, verdicts } = this.#settings;
    const left: Item[] = [];
    for (const item of slot.items.values()) {
      const outcome = await judge.findEnd(item.movement, null);
      if (outcome === undefined) left.push(item);
      else if (verdicts.conclude(item, outcome)) this.#drop(slot, item);
    }
    if (left.length > 0) await this.#move(slot, left);
    // What somebody else's transaction moved waits here to be final.
    const [settled] = [...slot.items.values()].flatMap(({ transaction }) =>
      transaction === null ? [] : [transaction],
    );
    const mined = settled === undefined ? null : await judge.find(settled);
    if (mined !== null) slot.mined = mined;
  }

  /** Gives payments of a slot a transaction of their own under a fresh nonce. Answers whether that was done. */
  async #move(slot: Slot, items: readonly Item[]): Promise<boolean> {
    const renewed = await this.#settings.submissions.renew(items.map(({ movement }) => movement));
    if (renewed === null) return false;
    const next = newSlot(renewed.placed);
    for (const item of items.filter(({ movement }) => renewed.ids.has(movement.exchangeId))) {
      slot.items.delete(item.movement.exchangeId);
      next.items.set(item.movement.exchangeId, item);
      this.#slotOf.set(item.movement.exchangeId, next);
    }
    this.#slots.set(next.nonce, next);
    return true;
  }

  /**
   * A payment that its transaction did not move, and that would move now, is sent once more by itself: a payer's code
   * may have used the gas of the rows behind it, which a batch contract like Multicall3 allows.
   */
  async #sendAgain(slot: Slot, item: Item): Promise<boolean> {
    if (item.isSentAgain || !(await this.#settings.simulate(item.movement)).ok) return false;
    if (!(await this.#move(slot, [item]))) return false;
    // Not before: where the database or the node was away the item is looked at again.
    item.isSentAgain = true;
    item.open = undefined;
    return true;
  }

  async #reconsider(slot: Slot, nowMs: number): Promise<void> {
    for (const item of slot.items.values()) {
      if (item.open === undefined || item.open.lookAtMs > nowMs) continue;
      try {
        if (await this.#settings.verdicts.reconsider(item, () => this.#sendAgain(slot, item))) this.#drop(slot, item);
      } catch (error) {
        if (item.open !== undefined) {
          const isAway = error instanceof ChainUnavailable;
          item.open.pauseMs = isAway ? this.#settings.longestPollMs : Math.min(item.open.pauseMs * 2, longestPauseMs);
          item.open.lookAtMs = performance.now() + item.open.pauseMs;
        }
        this.#report(error);
      }
    }
  }

  /** A chain that is away is asked again at once when it is back; what it cannot answer is asked ever more seldom. */
  async #attempt(slot: Slot, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      slot.failures = 0;
    } catch (error) {
      const isAway = error instanceof ChainUnavailable;
      slot.failures = isAway ? 1 : slot.failures + 1;
      const pauseMs = Math.min(this.#settings.longestPollMs * 2 ** Math.min(slot.failures, 10), longestPauseMs);
      if (!isAway) slot.notBeforeMs = performance.now() + pauseMs;
      if (slot.failures % 10 === 1) this.#report(error);
    }
  }

  #drop(slot: Slot, item: Item): void {
    slot.items.delete(item.movement.exchangeId);
  }

  /** Forgets the payments that have left their slots, and the slots that are empty. */
  #forget(): void {
    for (const [id, slot] of this.#slotOf) if (!slot.items.has(id)) this.#slotOf.delete(id);
    for (const [nonce, slot] of this.#slots)
      if (slot.items.size === 0 && this.#isSpent(slot)) this.#slots.delete(nonce);
  }

  /** An empty slot whose nonce is still free would wedge those behind it: it is followed until something is mined. */
  #isSpent({ mined, nonce, transactions }: Slot): boolean {
    return mined !== undefined || nonce < this.#counted || transactions.length === 0;
  }

  #all(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  #unmined(): readonly Slot[] {
    return this.#all().filter(({ mined }) => mined === undefined);
  }

  /** That the chain is away is told by its own means, and would be told here for every payment at every turn. */
  #report(error: unknown): void {
    if (!(error instanceof ChainUnavailable)) this.#settings.onTrouble(error);
  }
}
