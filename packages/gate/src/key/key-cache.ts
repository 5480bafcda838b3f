import type { KeyRecord } from './key-record.js';

interface Cached {
  readonly record: KeyRecord | undefined;
  readonly readAtMs: number;
}

export interface KeyCacheSettings {
  readonly read: (id: string) => Promise<KeyRecord | undefined>;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** The bound behind the notifications: no record is older. */
  readonly maxAgeMs: number;
  readonly maxKeys: number;
}

/**
 * What a process remembers of keys. It remembers only while notifications arrive: from the moment the listener is
 * down, every call asks the database. Three races are closed here:
 * a change that is announced while its old record is being read (the version announced is remembered, and an older
 * record read again); a record read before the listener came up (the generation it was read in has passed); a
 * notification lost with its connection (everything is forgotten).
 */
export class KeyCache {
  readonly #settings: KeyCacheSettings;
  readonly #cached = new Map<string, Cached>();
  readonly #reading = new Map<string, Promise<KeyRecord | undefined>>();
  readonly #announced = new Map<string, bigint>();
  #generation = 0;
  #listening = false;

  constructor(settings: KeyCacheSettings) {
    this.#settings = settings;
  }

  /** The record, if it may be trusted without asking. Synchronous, for the hot path. */
  peek(id: string): KeyRecord | undefined {
    const cached = this.#cached.get(id);
    if (cached === undefined || this.#settings.nowMs() - cached.readAtMs > this.#settings.maxAgeMs) return undefined;
    return cached.record;
  }

  /** The record as the database has it, shared by all who ask at once. */
  async read(id: string): Promise<KeyRecord | undefined> {
    const under = this.#reading.get(id);
    if (under !== undefined) return under;
    const reading = this.#read(id).finally(() => {
      if (this.#reading.get(id) === reading) this.#reading.delete(id);
    });
    this.#reading.set(id, reading);
    return reading;
  }

  /** A key changed, and this is its version now. */
  announce(id: string, version: bigint): void {
    this.#cached.delete(id);
    if (this.#reading.has(id)) this.#announced.set(id, version);
  }

  /** An account or its plan changed. */
  announceAccount(accountId: string): void {
    this.#generation += 1;
    this.#reading.clear();
    for (const [id, { record }] of this.#cached) if (record?.accountId === accountId) this.#cached.delete(id);
  }

  /** Notifications arrive again, or no longer do. Either way what is known is forgotten. */
  setListening(listening: boolean): void {
    this.#listening = listening;
    this.#generation += 1;
    this.#reading.clear();
    this.#announced.clear();
    this.#cached.clear();
  }

  async #read(id: string): Promise<KeyRecord | undefined> {
    for (;;) {
      const generation = this.#generation;
      const readAtMs = this.#settings.nowMs();
      const record = await this.#settings.read(id);
      const announced = this.#announced.get(id);
      if (announced !== undefined && record !== undefined && record.version < announced) continue;
      this.#announced.delete(id);
      if (this.#listening && generation === this.#generation) this.#remember(id, { record, readAtMs });
      return record;
    }
  }

  #remember(id: string, cached: Cached): void {
    // Unknown keys are not remembered: a stranger could fill the memory with them.
    if (cached.record === undefined) return;
    if (this.#cached.size >= this.#settings.maxKeys) {
      const [oldest] = this.#cached.keys();
      if (oldest !== undefined) this.#cached.delete(oldest);
    }
    this.#cached.set(id, cached);
  }
}
