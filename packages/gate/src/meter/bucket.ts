/** Units set aside for one call. */
export interface KeyHold {
  readonly rail: 'key';
  readonly bucket: Bucket;
  readonly units: bigint;
  /** Whether the units come out of a lease; where the plan has no hard limit they do not. */
  readonly leased: boolean;
}

interface Waiting {
  readonly units: bigint;
  readonly resolve: (granted: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** What one process holds of one account's month. Everything here is synchronous, so nothing can come in between. */
export class Bucket {
  /** Leased and not held by any call. */
  free = 0n;
  lastUsedMs = 0;
  /** Until then a call is refused without asking again: a used-up allowance must not cost a statement for each try. */
  deniedUntilMs = 0;
  /** The one request for more that is under way. */
  asking: Promise<void> | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(
    readonly accountId: string,
    readonly periodStart: Date,
    /** Null: the plan bills what goes beyond. */
    readonly limit: bigint | null,
  ) {}

  /** Takes units if they are here and nobody came first. */
  take(units: bigint): boolean {
    if (this.#waiting.length > 0 || this.free < units) return false;
    this.free -= units;
    return true;
  }

  /** Stands in line. Resolves to whether the units were granted. */
  wait(units: bigint): Promise<boolean> {
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
      this.free -= first.units;
      first.resolve(true);
    }
  }

  /** Sends the whole line away. */
  deny(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(false);
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
}
