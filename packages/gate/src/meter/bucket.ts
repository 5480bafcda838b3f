/** Units set aside for one call. */
export interface KeyHold {
  readonly rail: 'key';
  readonly bucket: Bucket;
  readonly units: bigint;
  /** Whether the units come out of a lease; where the plan has no hard limit they do not. */
  readonly leased: boolean;
}

/**
 * Why a call gets no units. `exhausted`: the month has none left for it, whatever becomes of the calls under way.
 * `contended`: others hold the last ones, and those that they do not use come back within seconds.
 */
export type KeyRefusal = 'exhausted' | 'contended';

interface Waiting {
  readonly units: bigint;
  readonly resolve: (answer: 'granted' | KeyRefusal) => void;
  readonly reject: (error: unknown) => void;
}

/** What one process holds of one account's month. Everything here is synchronous, so nothing can come in between. */
export class Bucket {
  /** Leased and not held by any call. */
  free = 0n;
  /** Leased and held by calls whose post has not been answered. */
  held = 0n;
  lastUsedMs = 0;
  /** Whether the database may have a lease of this process for this month. */
  leased = false;
  /** Whether the lease may have units that are counted neither as free nor as held. */
  doubtful = false;
  /** Whether units were returned while calls held others: those whose post was quicker are still in the lease. */
  loose = false;
  /** Until then nobody asks for units that others hold. */
  deniedUntilMs = 0;
  /** Units of the month that were not used yet, by anyone, when the database was last asked. They only become fewer. */
  unused = 0n;
  /** Until then a call of more than is unused is refused unasked: a used-up month must not cost a statement a try. */
  unusedUntilMs = 0;
  /** The one request for more that is under way. */
  asking: Promise<void> | undefined;
  /** The one return that is under way. */
  returning: Promise<void> | undefined;
  #waiting: Waiting[] = [];

  constructor(
    readonly accountId: string,
    readonly periodStart: Date,
  ) {}

  /** Takes units if they are here and nobody came first. */
  take(units: bigint): boolean {
    if (this.#waiting.length > 0 || this.free < units) return false;
    this.#hold(units);
    return true;
  }

  /** Stands in line. Resolves to whether the units were granted, or why not. */
  wait(units: bigint): Promise<'granted' | KeyRefusal> {
    return new Promise((resolve, reject) => this.#waiting.push({ units, resolve, reject }));
  }

  /** Units that those in line want and that are not here. */
  get wanted(): bigint {
    const sum = this.#waiting.reduce((total, { units }) => total + units, 0n);
    return sum > this.free ? sum - this.free : 0n;
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

  /** The call that held these units will not use them. */
  release(units: bigint): void {
    this.held -= units;
    this.add(units);
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
  drain(): bigint {
    if (this.#waiting.length > 0) return 0n;
    const idle = this.free;
    this.free = 0n;
    return idle;
  }

  #hold(units: bigint): void {
    this.free -= units;
    this.held += units;
  }
}
