import { Listener } from '@keyfare/db/listener';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { Heartbeat } from './heartbeat.js';

/** What a room does in the life of a process. Rooms do not know each other: the lifecycle registers their work. */
export interface ReplicaWork {
  /** Channels of the database that the room hears, each with what it does with a payload. */
  readonly hears?: Readonly<Record<string, (payload: string) => void | Promise<void>>>;
  /** Notifications arrive again, or no longer do. */
  readonly setListening?: (listening: boolean) => void;
  /** This process was taken for dead and has another name now. */
  readonly renamed?: () => void;
  /**
   * Ends, in one transaction, what dead processes held: those whose rows were just deleted, and any that are not in
   * `replica` at all. What it resolves to is run after the commit.
   */
  readonly sweep?: (tx: Sql, deadIds: readonly string[]) => Promise<(() => Promise<void>) | undefined>;
  /** What is done about once a second while the process lives. */
  readonly tidy?: () => Promise<void>;
}

const tidyEveryMs = 1_000;

/**
 * This process among its peers: it shows that it lives, hears what they announce, and takes over what a dead one left.
 * Showing that it lives waits for nothing else: see `Heartbeat`. All clocks compared here are the database's.
 */
@Injectable()
export class ReplicaService {
  readonly #logger = new Logger('Replica');
  readonly #works: ReplicaWork[] = [];
  readonly #heartbeat: Heartbeat;
  readonly #loops: Loop[] = [];
  #listener: Listener | undefined;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {
    this.#heartbeat = new Heartbeat({
      database: config.directConnections,
      ttlMs: config.replicaTtlMs,
      replica,
      onRenamed: () => {
        for (const work of this.#works) work.renamed?.();
      },
      onError: (error) => this.#logger.warn(error),
    });
  }

  /** Adds a room's work. Before `open`. */
  register(work: ReplicaWork): void {
    this.#works.push(work);
  }

  /** Whether changes are heard at once; while not, every call asks the database. */
  get listening(): boolean {
    return this.#listener?.listening ?? false;
  }

  async open(): Promise<void> {
    await this.#heartbeat.open();
    this.#listener = new Listener({
      ...this.config.directConnections,
      applicationName: 'keyfare-listener',
      channels: [...new Set(this.#works.flatMap(({ hears }) => Object.keys(hears ?? {})))],
      onNotification: (channel, payload) => this.#hear(channel, payload),
      onState: (listening) => {
        for (const work of this.#works) work.setListening?.(listening);
      },
    });
    await this.#listener.start();
    const warn = (error: unknown): void => this.#logger.warn(error);
    this.#loops.push(new Loop(this.config.replicaTtlMs / 5, () => this.#sweep(), warn));
    for (const { tidy } of this.#works) {
      if (tidy !== undefined)
        this.#loops.push(new Loop(Math.min(tidyEveryMs, this.config.replicaTtlMs / 5), tidy, warn));
    }
  }

  /** Stops what is done in turns: from here on a room closes by itself. */
  async stopTurns(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.close()));
  }

  async close(): Promise<void> {
    await this.stopTurns();
    await this.#listener?.close();
    await this.#heartbeat.close();
  }

  #hear(channel: string, payload: string): void {
    for (const { hears } of this.#works) {
      const heard = hears?.[channel];
      if (heard !== undefined) void Promise.resolve(heard(payload)).catch((error: unknown) => this.#logger.warn(error));
    }
  }

  /**
   * One of the living takes each dead process, and in one transaction all that it held. What this process itself let
   * drop is picked up as well. A process that is posting holds its row and is passed over. After an outage a process
   * does not sweep itself: its next beat renews the row.
   */
  async #sweep(): Promise<void> {
    const followUps = await this.sql.transaction(async (tx) => {
      const dead = await tx.query<{ id: string }>({
        name: 'keyfare_dead_replicas',
        text: `
          delete from keyfare.replica where id in (
            select id from keyfare.replica where expires_at < now() and id <> $1 order by id for update skip locked)
          returning id`,
        values: [this.replica.id],
      });
      const ids = dead.map(({ id }) => id);
      const after: ((() => Promise<void>) | undefined)[] = [];
      for (const { sweep } of this.#works) after.push(await sweep?.(tx, ids));
      return after;
    });
    for (const followUp of followUps) await followUp?.();
  }
}

/** Does its work again and again, a pause after each time. */
class Loop {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly pauseMs: number,
    private readonly work: () => Promise<void>,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#running = this.work()
        .catch(this.onError)
        .finally(() => this.#schedule());
    }, this.pauseMs);
    this.#timer.unref();
  }
}
