import type { SqlPool } from '@keyfare/db/sql';
import { placeEntries, releaseSequencer, takeSequencer } from './sequencer.sql.js';

export interface SequencerSettings {
  readonly sql: SqlPool;
  /** The name of this process at the moment. */
  readonly holder: () => string;
  readonly onError: (error: unknown) => void;
  /**
   * How long a process that says nothing keeps the lease.
   * @default 2000
   */
  readonly ttlMs?: number;
  /**
   * The pause between two looks for entries without a place.
   * @default 100
   */
  readonly pauseMs?: number;
  /**
   * At most so many posts get places in one transaction.
   * @default 1000
   */
  readonly maxPosts?: number;
}

const partitionsEveryMs = 3_600_000;

/**
 * Gives committed entries their places, gapless from 1. Every process runs one, and the one that holds the lease works:
 * its statement locks the lease's row and names its epoch, so a holder that was away when its lease ended can place
 * nothing any more. It makes the partitions of coming months too.
 */
export class Sequencer {
  readonly #settings: SequencerSettings;
  #epoch: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #partitionsAtMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(settings: SequencerSettings) {
    this.#settings = settings;
  }

  /** Begins to work in turns. */
  start(): void {
    this.#schedule(0);
  }

  /** Whether this process held the lease when it last looked. */
  get isHolder(): boolean {
    return this.#epoch !== undefined;
  }

  /**
   * Takes the lease if nobody has it, and gives places to what is committed. Resolves to the number of posts placed.
   */
  async turn(): Promise<number> {
    const { sql, holder, ttlMs = 2_000, maxPosts = 1_000 } = this.#settings;
    if (this.#epoch === undefined) {
      const [taken] = await sql.query<{ epoch: string }>({
        name: 'keyfare_take_sequencer',
        text: takeSequencer,
        values: [holder(), ttlMs],
      });
      this.#epoch = taken?.epoch;
      if (this.#epoch === undefined) return 0;
    }
    const [placed] = await sql.query<{ is_holder: boolean; posts: number }>({
      name: 'keyfare_place_entries',
      text: placeEntries,
      values: [this.#epoch, ttlMs, maxPosts],
    });
    if (placed?.is_holder !== true) this.#epoch = undefined;
    return placed?.posts ?? 0;
  }

  /** Places what is committed, gives the lease up, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    if (this.#epoch === undefined) return;
    const epoch = this.#epoch;
    await this.turn().catch(() => 0);
    await this.#settings.sql.query({ text: releaseSequencer, values: [epoch] }).catch(() => undefined);
    this.#epoch = undefined;
  }

  async #step(): Promise<void> {
    const { maxPosts = 1_000, pauseMs = 100 } = this.#settings;
    const posts = await this.#work();
    this.#schedule(posts >= maxPosts ? 0 : pauseMs);
  }

  #schedule(pauseMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#step();
    }, pauseMs);
    this.#timer.unref();
  }

  async #work(): Promise<number> {
    try {
      const posts = await this.turn();
      if (this.isHolder) await this.#makePartitions();
      return posts;
    } catch (error) {
      this.#settings.onError(error);
      return 0;
    }
  }

  async #makePartitions(): Promise<void> {
    if (performance.now() - this.#partitionsAtMs < partitionsEveryMs) return;
    this.#partitionsAtMs = performance.now();
    await this.#settings.sql.query({ text: 'select keyfare.make_months()' });
  }
}
