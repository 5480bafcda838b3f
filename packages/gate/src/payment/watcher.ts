import { type BroadcastOutcome, type Chain, ChainUnavailable, type TransactionOutcome } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import { BlockPace } from './block-pace.js';
import type { PaymentHold, PaymentOutcome } from './call.js';
import { Judge, type Verdict } from './judge.js';
import type { Submissions } from './submissions.js';

export interface WatcherSettings {
  readonly chain: Chain;
  readonly submissions: Submissions;
  readonly shortestPollMs: number;
  readonly longestPollMs: number;
  /** The same bytes are sent again after so long without a receipt. */
  readonly rebroadcastAfterMs: number;
  /** What the node refused is offered again after so long. */
  readonly retryAfterMs: number;
  /** Higher fees are offered after so long without a receipt. */
  readonly replaceAfterMs: number;
  readonly onTrouble: (error: unknown) => void;
}

/** A payment under way. */
export interface Watch {
  /** How it ended. */
  readonly ended: Promise<PaymentOutcome>;
  /** Our transaction reverted and the authorization is still good: the end may be far off, nobody should wait for it. */
  readonly reverted: Promise<null>;
}

interface Watched extends Watch {
  readonly hold: PaymentHold;
  transactions: readonly SignedTransaction[];
  sentAtMs: number;
  offeredAtMs: number;
  /** The node would not take the newest transaction. */
  refused: boolean;
  nonceTaken: boolean;
  /** To be looked at though no block came. */
  isDue: boolean;
  /** Looks without a verdict, one after the other, and when the next is due. */
  failures: number;
  notBeforeMs: number;
  open: { readonly mined: TransactionOutcome; lookAtMs: number; pauseMs: number } | undefined;
  readonly end: (outcome: PaymentOutcome) => void;
  readonly revert: (nothing: null) => void;
}

const never = Number.NEGATIVE_INFINITY;
const longestOpenPauseMs = 30_000;

/**
 * Follows submitted payments until the chain says how they ended. One loop sends what is due and, when a block came,
 * asks for all of them in one request. It never gives up: as long as the outcome is unknown the payment stays here, and
 * in the database for whoever comes after this process.
 */
export class Watcher {
  readonly #settings: WatcherSettings;
  readonly #judge: Judge;
  readonly #pace: BlockPace;
  readonly #watched = new Map<string, Watched>();
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(settings: WatcherSettings) {
    this.#settings = settings;
    this.#judge = new Judge(settings.chain, settings.submissions.address);
    this.#pace = new BlockPace(settings.shortestPollMs, settings.longestPollMs);
  }

  /** How many payments are under way. */
  get size(): number {
    return this.#watched.size;
  }

  /**
   * Whether the node refuses a transaction of the settler, for want of gas money as a rule; those behind it cannot be
   * mined before it. It is offered again and again; until it is taken, no new work should be done for a payment.
   */
  get refused(): boolean {
    return this.#all().some(({ refused }) => refused);
  }

  has(exchangeId: string): boolean {
    return this.#watched.has(exchangeId);
  }

  /** Broadcasts and follows. The caller decides how long to wait. */
  watch(hold: PaymentHold, transactions: readonly SignedTransaction[]): Watch {
    const known = this.#watched.get(hold.exchangeId);
    if (known !== undefined) return known;
    const watched = newWatched(hold, transactions);
    this.#watched.set(hold.exchangeId, watched);
    this.#wake?.();
    this.#loop ??= this.#run();
    return watched;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    this.#pace.restart(performance.now());
    while (this.#watched.size > 0 && !this.#closed) {
      let pauseMs = this.#settings.longestPollMs;
      try {
        await this.#broadcast();
        await this.#look();
        pauseMs = this.#all().some(({ sentAtMs }) => sentAtMs === never) ? 0 : this.#pauseMs();
      } catch (error) {
        this.#report(error);
      }
      if (pauseMs > 0 && this.#watched.size > 0 && !this.#closed) await this.#sleep(pauseMs);
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
    const all = this.#all();
    const looks = all.flatMap(({ open }) => (open === undefined ? [] : [Math.max(0, open.lookAtMs - nowMs)]));
    const untilLook = Math.min(...looks, this.#settings.longestPollMs);
    return all.length === looks.length ? untilLook : Math.min(untilLook, this.#pace.pauseMs(nowMs));
  }

  /** Only the newest transaction of a payment is sent: the node has no use for one that it was offered more for. */
  async #broadcast(): Promise<void> {
    const nowMs = performance.now();
    const unmined = this.#all().filter(({ open }) => open === undefined);
    await Promise.all(unmined.map((watched) => this.#offerMore(watched, nowMs)));
    const { rebroadcastAfterMs, retryAfterMs } = this.#settings;
    const sending = unmined
      .filter(({ sentAtMs, refused }) => nowMs - sentAtMs > (refused ? retryAfterMs : rebroadcastAfterMs))
      .flatMap((watched) => {
        const newest = watched.transactions.at(-1);
        return newest === undefined ? [] : [{ watched, newest }];
      })
      .toSorted((a, b) => a.newest.nonce - b.newest.nonce);
    if (sending.length === 0) return;
    const answers = await this.#settings.chain.broadcast(sending.map(({ newest }) => newest.raw));
    for (const [index, { watched }] of sending.entries()) this.#hear(watched, answers[index], nowMs);
  }

  #hear(watched: Watched, answer: BroadcastOutcome | undefined, nowMs: number): void {
    if (answer === undefined) return;
    watched.sentAtMs = nowMs;
    if (answer.status !== 'unknown') watched.refused = answer.status === 'rejected' || answer.status === 'unfunded';
    if (answer.status === 'nonce-too-low') {
      watched.nonceTaken = true;
      watched.isDue = true;
    }
    // The fees that are known may be old: more is offered when they have been asked for again, not at every turn.
    if (answer.status === 'underpaid') {
      watched.offeredAtMs = nowMs + this.#settings.retryAfterMs - this.#settings.replaceAfterMs;
    }
    if ('message' in answer) this.#settings.onTrouble(new Error(`a settlement was not taken: ${answer.message}`));
  }

  async #offerMore(watched: Watched, nowMs: number): Promise<void> {
    const last = watched.transactions.at(-1);
    if (last === undefined || nowMs - watched.offeredAtMs < this.#settings.replaceAfterMs) return;
    watched.offeredAtMs = nowMs;
    try {
      const replacement = await this.#settings.submissions.replace(watched.hold, last);
      if (replacement === null) return;
      watched.transactions = [...watched.transactions, replacement];
      watched.sentAtMs = never;
    } catch (error) {
      this.#report(error);
    }
  }

  /** Asks for receipts when a block came, and otherwise only for what the node said something new of. */
  async #look(): Promise<void> {
    const asksBlock = this.#pace.pauseMs(performance.now()) === 0;
    const moved = asksBlock && this.#pace.saw(await this.#settings.chain.blockNumber(), performance.now());
    const nowMs = performance.now();
    const due = this.#all().filter(({ open, isDue, notBeforeMs }) =>
      open === undefined ? (moved || isDue) && notBeforeMs <= nowMs : open.lookAtMs <= nowMs,
    );
    await Promise.all(due.map((watched) => this.#lookAt(watched)));
  }

  /** What cannot be judged is looked at again, and keeps nobody else waiting. */
  async #lookAt(watched: Watched): Promise<void> {
    watched.isDue = false;
    try {
      const { open, hold } = watched;
      const verdict = open === undefined ? this.#judge.judge(watched) : this.#judge.reconsider(hold, open.mined);
      await this.#take(watched, await verdict);
      watched.failures = 0;
    } catch (error) {
      watched.isDue = true;
      this.#postpone(watched, error);
    }
  }

  /** A chain that is away is asked again at once when it is back; what it cannot answer is asked ever more seldom. */
  #postpone(watched: Watched, error: unknown): void {
    const isAway = error instanceof ChainUnavailable;
    watched.failures = isAway ? 0 : watched.failures + 1;
    const pauseMs = Math.min(this.#settings.longestPollMs * 2 ** Math.min(watched.failures, 10), longestOpenPauseMs);
    const nextMs = performance.now() + (isAway ? this.#settings.longestPollMs : pauseMs);
    if (watched.open !== undefined) watched.open.lookAtMs = nextMs;
    else if (!isAway) watched.notBeforeMs = nextMs;
    if (watched.failures % 10 === 1) this.#report(error);
  }

  async #take(watched: Watched, verdict: Verdict): Promise<void> {
    if (verdict.kind === 'ended') {
      this.#watched.delete(watched.hold.exchangeId);
      watched.end(verdict.outcome);
    } else if (verdict.kind === 'reverted') {
      const pauseMs = Math.min((watched.open?.pauseMs ?? 500) * 2, longestOpenPauseMs);
      watched.open = { mined: verdict.mined, pauseMs, lookAtMs: performance.now() + pauseMs };
      watched.refused = false;
      watched.revert(null);
    } else if (verdict.kind === 'superseded') {
      watched.transactions = [await this.#settings.submissions.renew(watched.hold)];
      watched.nonceTaken = false;
      watched.sentAtMs = never;
    }
  }

  #all(): readonly Watched[] {
    return [...this.#watched.values()];
  }

  /** That the chain is away is told by its own means, and would be told here for every payment at every turn. */
  #report(error: unknown): void {
    if (!(error instanceof ChainUnavailable)) this.#settings.onTrouble(error);
  }
}

function newWatched(hold: PaymentHold, transactions: readonly SignedTransaction[]): Watched {
  const { promise: ended, resolve: end } = deferred<PaymentOutcome>();
  const { promise: reverted, resolve: revert } = deferred<null>();
  return {
    hold,
    transactions,
    sentAtMs: transactions.length === 0 ? performance.now() : never,
    offeredAtMs: performance.now(),
    refused: false,
    nonceTaken: false,
    isDue: false,
    failures: 0,
    notBeforeMs: never,
    open: undefined,
    ended,
    end,
    reverted,
    revert,
  };
}

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  const box: { resolve?: (value: T) => void } = {};
  const promise = new Promise<T>((resolve) => {
    box.resolve = resolve;
  });
  return { promise, resolve: (value) => box.resolve?.(value) };
}
