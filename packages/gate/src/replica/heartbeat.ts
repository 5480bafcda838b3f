import { randomUUID } from 'node:crypto';
import type { Place } from '@keyfare/db/host-pool';
import { SqlPool } from '@keyfare/db/sql';
import type { ReplicaId } from '../replica-id.js';
import { gateRole } from '../schema.js';

export interface HeartbeatSettings {
  /** Of the server itself: no pooler keeps a beat waiting. */
  readonly database: Place;
  /** When a process that shows no sign of life counts as dead. */
  readonly ttlMs: number;
  readonly replica: ReplicaId;
  /** The process was taken for dead, and its row is there again under a new name. */
  readonly onRenamed: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Shows the peers that this process lives, five times in the time after which it would count as dead. It has a
 * connection and a timer of its own, so it waits neither for a free connection of the pool nor for the room's work.
 */
export class Heartbeat {
  readonly #settings: HeartbeatSettings;
  readonly #sql: SqlPool;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #closed = false;

  constructor(settings: HeartbeatSettings) {
    this.#settings = settings;
    this.#sql = new SqlPool({
      ...settings.database,
      applicationName: 'keyfare-heartbeat',
      role: gateRole,
      poolSize: 1,
      connectTimeoutMs: Math.max(200, settings.ttlMs / 2),
      // A beat that takes longer is given up with its connection, in time for another.
      queryTimeoutMs: Math.max(200, settings.ttlMs / 2),
    });
  }

  /** Registers the process and begins to beat. */
  async open(): Promise<void> {
    const { replica } = this.#settings;
    await this.#insert(replica.id);
    replica.onFenced(() => this.beat());
    this.#schedule();
  }

  /** Renews the row now; where it was swept, registers the process again under a new name. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** Ends the beating and removes the row: the process has given back what it held. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#beating?.catch(() => undefined);
    await this.#sql
      .query({ text: 'delete from keyfare.replica where id = $1', values: [this.#settings.replica.id] })
      .catch(() => undefined);
    await this.#sql.close();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.beat()
        .catch(this.#settings.onError)
        .finally(() => this.#schedule());
    }, this.#settings.ttlMs / 5);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const { replica, ttlMs, onRenamed } = this.#settings;
    const renewed = await this.#sql.query({
      name: 'keyfare_heartbeat',
      text: `update keyfare.replica set expires_at = now() + $2::integer * interval '1 millisecond'
        where id = $1 returning id`,
      values: [replica.id, ttlMs],
    });
    if (renewed.length > 0 || this.#closed) return;
    // Never the old name again: what was begun under it, and may still be on its way, stays refused.
    const id = randomUUID();
    await this.#insert(id);
    replica.rename(id);
    onRenamed();
  }

  async #insert(id: string): Promise<void> {
    await this.#sql.query({
      text: `insert into keyfare.replica (id, started_at, expires_at)
        values ($1, now(), now() + $2::integer * interval '1 millisecond')`,
      values: [id, this.#settings.ttlMs],
    });
  }
}
