import { Problem } from '@keyfare/core/problem';

/**
 * Why a call gets no units. `exhausted`: the month has none left for it, whatever becomes of the calls under way.
 * `contended`: others hold the last ones, and those that they do not use come back within seconds.
 */
export type KeyRefusal = 'exhausted' | 'contended';

/** So many calls of one account may wait for units; one more is refused. */
const maxWaiting = 2_000;

interface Waiting {
  readonly units: bigint;
  readonly resolve: (answer: 'granted' | KeyRefusal) => void;
  readonly reject: (error: unknown) => void;
}

/** Which units a bucket counts: one account's month, under one name of this process. */
export interface BucketKey {
  readonly accountId: string;
  readonly periodStart: Date;
  readonly writer: string;
  /** The newest group of posts known when the bucket was made: none of its calls is in an earlier one. */
  readonly post: bigint;
}

/** What one process holds of one account's month. Everything here is synchronous, so nothing can come in between. */
export class Bucket {
  readonly accountId: string;
  readonly periodStart: Date;
  readonly writer: string;
  /** Leased and not held by any call. */
  free = 0n;
  /** Leased and held by calls whose post has not been answered. */
  held = 0n;
  /** Held without a lease by calls whose post has not been answered, where the plan has no hard limit. */
  heldBeyond = 0n;
  /** All units that this bucket's calls have posted, through the group `post`. */
  used = 0n;
  post: bigint;
  /** Of `used`, what had no lease and is not folded yet. */
  usedBeyond = 0n;
  /** Units that the database has folded, as far as this process knows. */
  folded = 0n;
  lastUsedMs = performance.now();
  /** Whether the database has an open lease of this process for this month: without one nothing is admitted. */
  isOpen = false;
  /** Whether the answer of a statement was lost, so that the lease may differ from what is counted here. */
  isDoubtful = false;
  /** Whether the row of the lease may be in the database, open or closed. */
  isStored = false;
  /** When the lease was closed. */
  closedAtMs = 0;
  /** Until then nobody asks for units that others hold. */
  deniedUntilMs = 0;
  /** Units of the month that were not used yet, by anyone, when the database was last asked. They only become fewer. */
  unused = 0n;
  /** Until then a call of more than is unused is refused unasked: a used-up month must not cost a statement a try. */
  unusedUntilMs = 0;
  /** The one request for more that is under way. */
  asking: Promise<void> | undefined;
  /** The one fold that is under way. */
  folding: Promise<void> | undefined;
  #waiting: Waiting[] = [];

  constructor({ accountId, periodStart, writer, post }: BucketKey) {
    this.accountId = accountId;
    this.periodStart = periodStart;
    this.writer = writer;
    this.post = post;
  }

  /** Takes leased units if they are here and nobody came first. */
  take(units: bigint): boolean {
    if (this.#waiting.length > 0 || this.free < units) return false;
    this.#hold(units);
    return true;
  }

  /** Takes units that no limit bounds. The lease must be open, for a sweep counts what was posted by it. */
  takeBeyond(units: bigint): boolean {
    if (!this.isOpen) return false;
    this.heldBeyond += units;
    return true;
  }

  /** Stands in line. Resolves to whether the units were granted, or why not. */
  wait(units: bigint): Promise<'granted' | KeyRefusal> {
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(new Problem('service/overloaded', undefined, { headers: { 'retry-after': '1' } }));
    }
    return new Promise((resolve, reject) => this.#waiting.push({ units, resolve, reject }));
  }

  /** Whether anyone stands in line. */
  get hasLine(): boolean {
    return this.#waiting.length > 0;
  }

  /** Units that those in line want and that are not here. */
  get wanted(): bigint {
    const sum = this.#waiting.reduce((total, { units }) => total + units, 0n);
    return sum > this.free ? sum - this.free : 0n;
  }

  /** Whether no call holds anything and nobody waits. */
  get isIdle(): boolean {
    return this.held === 0n && this.heldBeyond === 0n && this.#waiting.length === 0;
  }

  /** Whether the database does not know of all that was posted. */
  get isDirty(): boolean {
    return this.folded !== this.used || this.isDoubtful;
  }

  /** Adds units and serves the line in its order. */
  add(units: bigint): void {
    this.free += units;
    for (let first = this.#waiting[0]; first !== undefined && first.units <= this.free; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#hold(first.units);
      first.resolve('granted');
    }
  }

  /** Ends a hold: of the units held, those `used` are counted, and the others are free for the next call. */
  end({ units, leased }: { units: bigint; leased: boolean }, used: bigint): void {
    if (used < 0n || used > units) throw new RangeError(`a hold of ${units} units cannot end with ${used} used`);
    this.used += used;
    if (leased) {
      this.held -= units;
      this.add(units - used);
    } else {
      this.heldBeyond -= units;
      this.usedBeyond += used;
    }
  }

  /** Sends away who wants more than the month has left, so that nobody waits behind them. */
  denyExhausted(): void {
    for (const waiting of this.#waiting) if (waiting.units > this.unused) waiting.resolve('exhausted');
    this.#waiting = this.#waiting.filter(({ units }) => units <= this.unused);
    this.add(0n);
  }

  /** Ends the waiting: who fits into what is here is served, the others are sent away. */
  deny(): void {
    for (const { units, resolve } of this.#waiting.splice(0)) {
      if (units > this.free) resolve(this.refusal(units));
      else {
        this.#hold(units);
        resolve('granted');
      }
    }
  }

  /** Why a call of so many units would be refused now. */
  refusal(units: bigint): KeyRefusal {
    return units > this.unused ? 'exhausted' : 'contended';
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Takes all idle units out, to give them back. */
  drain(): void {
    if (this.#waiting.length === 0) this.free = 0n;
  }

  #hold(units: bigint): void {
    this.free -= units;
    this.held += units;
  }
}
