import { Client } from 'pg';
import { connectionOf } from '../connection.js';
import type { Place } from '../host-pool.js';

/** A listener has a connection of its own: `pool` says how it connects, and lends none. */
export type ListenerSettings = Place & {
  readonly applicationName: string;
  readonly channels: readonly string[];
  readonly onNotification: (channel: string, payload: string) => void;
  /** `true` once every channel is listened to, `false` as soon as that is no longer certain. */
  readonly onState: (listening: boolean) => void;
  /** How often a quiet connection is asked whether it still lives. */
  readonly pingMs?: number;
};

const identifier = /^[a-z_][a-z0-9_]*$/;
const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * One connection that listens, and says when it does not. Notifications sent while it was down are lost, so whoever
 * caches by them must treat everything as stale from `onState(false)` until after `onState(true)`.
 */
export class Listener {
  readonly #settings: ListenerSettings;
  #client: Client | undefined;
  #pinging: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #pauseMs = firstPauseMs;
  #listening = false;
  #closed = false;

  constructor(settings: ListenerSettings) {
    for (const channel of settings.channels) {
      if (!identifier.test(channel)) throw new TypeError(`not a channel name: ${channel}`);
    }
    this.#settings = settings;
  }

  get listening(): boolean {
    return this.#listening;
  }

  /** Starts listening, and keeps at it. Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    const { applicationName, channels, pingMs = 300 } = this.#settings;
    const client = new Client({
      ...connectionOf(this.#settings),
      application_name: applicationName,
      connectionTimeoutMillis: 3_000,
      query_timeout: 600,
      keepAlive: true,
    });
    this.#client = client;
    const lost = (): void => this.#lost(client);
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', ({ channel, payload }) => this.#settings.onNotification(channel, payload ?? ''));
    try {
      await client.connect();
      await client.query(channels.map((channel) => `listen ${channel}`).join('; '));
      if (this.#closed || this.#client !== client) return;
      this.#pauseMs = firstPauseMs;
      this.#listening = true;
      this.#settings.onState(true);
      // A connection whose other end vanished without a word answers nothing; only a question finds out.
      this.#pinging = setInterval(() => void client.query('select 1').catch(lost), pingMs);
      this.#pinging.unref();
    } catch {
      lost();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    clearInterval(this.#pinging);
    const client = this.#client;
    this.#client = undefined;
    this.#listening = false;
    await client?.end().catch(() => undefined);
  }

  #lost(client: Client): void {
    if (this.#client !== client || this.#closed) return;
    this.#client = undefined;
    clearInterval(this.#pinging);
    if (this.#listening) {
      this.#listening = false;
      this.#settings.onState(false);
    }
    void client.end().catch(() => undefined);
    this.#again = setTimeout(() => void this.start(), this.#pauseMs);
    this.#again.unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }
}
