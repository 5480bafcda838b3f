interface Cached<Value> {
  readonly value: Value;
  readonly readAtMs: number;
}

export interface VersionedCacheSettings<Value> {
  readonly read: (id: string) => Promise<Value | undefined>;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** The bound behind the notifications: no value is older. */
  readonly maxAgeMs: number;
  readonly maxValues: number;
}

/**
 * Remembers rows that carry a version and announce each change. It remembers only while notifications arrive: from the
 * moment the listener is down, every question goes to the database. Three races are closed here:
 * a change that is announced while its old row is being read (the version announced is remembered, and an older
 * row read again); a row read before the listener came up (the generation it was read in has passed); a
 * notification lost with its connection (everything is forgotten).
 */
export class VersionedCache<Value extends { readonly version: bigint }> {
  readonly #settings: VersionedCacheSettings<Value>;
  readonly #cached = new Map<string, Cached<Value>>();
  readonly #reading = new Map<string, Promise<Value | undefined>>();
  readonly #announced = new Map<string, bigint>();
  #generation = 0;
  #listening = false;

  constructor(settings: VersionedCacheSettings<Value>) {
    this.#settings = settings;
  }

  /** The value, if it may be trusted without asking. Synchronous, for the hot path. */
  peek(id: string): Value | undefined {
    const cached = this.#cached.get(id);
    if (cached === undefined || this.#settings.nowMs() - cached.readAtMs > this.#settings.maxAgeMs) return undefined;
    return cached.value;
  }

  /** The value as the database has it, read once for all who ask at the same time. */
  async read(id: string): Promise<Value | undefined> {
    const under = this.#reading.get(id);
    if (under !== undefined) return under;
    const reading = this.#read(id).finally(() => {
      if (this.#reading.get(id) === reading) this.#reading.delete(id);
    });
    this.#reading.set(id, reading);
    return reading;
  }

  /** A value changed, and this is its version now. */
  announce(id: string, version: bigint): void {
    this.#cached.delete(id);
    if (this.#reading.has(id)) this.#announced.set(id, version);
  }

  /** Notifications arrive again, or no longer do. Either way what is known is forgotten. */
  setListening(listening: boolean): void {
    this.#listening = listening;
    this.#generation += 1;
    this.#reading.clear();
    this.#announced.clear();
    this.#cached.clear();
  }

  async #read(id: string): Promise<Value | undefined> {
    for (;;) {
      const generation = this.#generation;
      const readAtMs = this.#settings.nowMs();
      const value = await this.#settings.read(id);
      const announced = this.#announced.get(id);
      if (announced !== undefined && value !== undefined && value.version < announced) continue;
      this.#announced.delete(id);
      if (this.#listening && generation === this.#generation) this.#remember(id, value, readAtMs);
      return value;
    }
  }

  #remember(id: string, value: Value | undefined, readAtMs: number): void {
    // What does not exist is not remembered: strangers could fill the memory with made-up ids.
    if (value === undefined) return;
    if (this.#cached.size >= this.#settings.maxValues) {
      const [oldest] = this.#cached.keys();
      if (oldest !== undefined) this.#cached.delete(oldest);
    }
    this.#cached.set(id, { value, readAtMs });
  }
}
