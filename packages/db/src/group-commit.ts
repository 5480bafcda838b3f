import { Problem } from '@keyfare/core/problem';
import { DatabaseUnavailable, isRefusal, isRetryable } from './sql.js';

export interface GroupCommitSettings<Item, Result> {
  /**
   * Writes all items in one transaction and answers their results in order. It must be idempotent for each item: after
   * a lost connection the same items are written again, and must not count twice.
   */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  /**
   * Whether a caller waits while the outcome of its item is in doubt (default), or is refused at once because it can
   * undo the item by itself.
   */
  readonly waitsInDoubt?: boolean;
  /** At most so many items in one transaction; more wait for the next. Past some hundreds nothing is gained. */
  readonly maxItems?: number;
  /**
   * What an item weighs, where items differ: those of one transaction weigh `maxWeight` together at most, or are one.
   */
  readonly weigh?: (item: Item) => number;
  readonly maxWeight?: number;
  /**
   * At most so many items wait for a transaction; one more is refused with 503 `service/overloaded`.
   * @default 10000
   */
  readonly maxWaiting?: number;
  /** Called for each transaction, for metrics: with its items, and how long the first of them had waited for it. */
  readonly onWritten?: (items: number, waitedMs: number) => void;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly sinceMs: number;
}

const firstPauseMs = 20;
const longestPauseMs = 500;
const closingGraceMs = 5_000;

/**
 * Many calls, one transaction: what arrives while a transaction is under way goes out with the next one. There is no
 * timer, so that a lone call does not wait.
 *
 * A caller hears a result only when it is known. When the connection breaks under a transaction, nobody can tell
 * whether it was committed; the same items are then written again until the database answers, however long that
 * takes. Items that were not yet sent are refused at once with `service/database-unavailable`. Only at the end of the
 * process is the wait bounded: see `close`.
 */
export class GroupCommit<Item, Result> {
  readonly #settings: GroupCommitSettings<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running: Promise<void> | undefined;
  #inDoubt = false;
  #closed = false;
  #giveUpAtMs = Number.POSITIVE_INFINITY;

  constructor(settings: GroupCommitSettings<Item, Result>) {
    this.#settings = settings;
  }

  /**
   * Resolves when the item is durable. Rejects with the database's answer, with a 503 when it was never sent, or with
   * `DatabaseUnavailable` in doubt when the process ends before that is known.
   */
  commit(item: Item): Promise<Result> {
    if (this.#inDoubt || this.#closed) {
      return Promise.reject(new Problem(this.#closed ? 'service/shutting-down' : 'service/database-unavailable'));
    }
    if (this.#waiting.length >= (this.#settings.maxWaiting ?? 10_000)) {
      return Promise.reject(new Problem('service/overloaded', undefined, { headers: { 'retry-after': '1' } }));
    }
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject, sinceMs: performance.now() });
      this.#running ??= this.#run();
    });
  }

  /** How many items wait for a transaction. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether a transaction of unknown outcome is being settled: new items are refused meanwhile. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /**
   * Refuses new items and resolves when all earlier ones are settled. A transaction that is in doubt is settled for
   * `graceMs` at most: a process must end even though its database does not come back.
   */
  async close(graceMs = closingGraceMs): Promise<void> {
    this.#closed = true;
    this.limitDoubt(graceMs);
    await this.#running;
  }

  /** The process is about to end: whoever waits in doubt is told so after `graceMs`. New items are still taken. */
  limitDoubt(graceMs = closingGraceMs): void {
    this.#giveUpAtMs = Math.min(this.#giveUpAtMs, performance.now() + graceMs);
  }

  async #run(): Promise<void> {
    // Lets all calls of this turn of the event loop join the first transaction.
    await new Promise((turn) => setImmediate(turn));
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0, this.#nextSize()));
    this.#running = undefined;
  }

  /** How many of those who wait go into the next transaction. */
  #nextSize(): number {
    const { maxItems = 500, weigh, maxWeight = Number.POSITIVE_INFINITY } = this.#settings;
    const most = Math.min(maxItems, this.#waiting.length);
    if (weigh === undefined) return most;
    let weight = 0;
    for (let size = 0; size < most; size += 1) {
      weight += weigh((this.#waiting[size] as Waiting<Item, Result>).item);
      if (weight > maxWeight) return Math.max(1, size);
    }
    return most;
  }

  async #write(group: readonly Waiting<Item, Result>[]): Promise<void> {
    const waitedMs = performance.now() - (group[0]?.sinceMs ?? 0);
    try {
      const results = await this.#writeUntilKnown(group.map(({ item }) => item));
      this.#settings.onWritten?.(group.length, waitedMs);
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result);
    } catch (error) {
      const [only] = group;
      if (error instanceof DatabaseUnavailable) {
        if (error.inDoubt && this.#settings.waitsInDoubt !== false) for (const { reject } of group) reject(error);
        else refuse(group, error);
        refuse(this.#waiting.splice(0), error);
      } else if (!isRefusal(error) || only === undefined || group.length === 1) {
        for (const { reject } of group) reject(error);
      } else {
        // The database refused the group for the sake of one item: halves find it without punishing the others.
        const middle = group.length >> 1;
        await this.#write(group.slice(0, middle));
        await this.#write(group.slice(middle));
      }
    }
  }

  /**
   * Rejects with `DatabaseUnavailable` when nothing of these items can have been committed, or nobody waits to know.
   */
  async #writeUntilKnown(items: readonly Item[]): Promise<readonly Result[]> {
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        try {
          return await this.#settings.write(items);
        } catch (error) {
          if (isRetryable(error)) continue;
          const lost = this.#asLost(error);
          if (lost === null || this.#settings.waitsInDoubt === false) throw error;
          if (!lost.inDoubt || performance.now() + pauseMs > this.#giveUpAtMs) throw lost;
          this.#inDoubt = true;
          refuse(this.#waiting.splice(0), lost);
          await new Promise((wake) => setTimeout(wake, pauseMs));
        }
      }
    } finally {
      this.#inDoubt = false;
    }
  }

  /** Null for an answer. Once in doubt, always: that a later attempt failed tells nothing of the first. */
  #asLost(error: unknown): DatabaseUnavailable | null {
    if (this.#inDoubt && !isRefusal(error)) return new DatabaseUnavailable(error, { inDoubt: true });
    return error instanceof DatabaseUnavailable ? error : null;
  }
}

function refuse(group: readonly { reject: (error: unknown) => void }[], cause: DatabaseUnavailable): void {
  for (const { reject } of group) reject(new Problem('service/database-unavailable', undefined, { cause }));
}
