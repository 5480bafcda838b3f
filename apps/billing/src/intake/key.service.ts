import { type Ed25519Jwk, type Jwks, parseJwks } from '@keyfare/core/receipt';
import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';

const fetchTimeoutMs = 5_000;
const fetchPauseMs = 3_000;
const longestKeySet = 1_048_576;

/**
 * The API's public keys. Each is kept as it was first seen: the API may be down when a receipt is checked, and a key
 * set that later shows another key under a known id does not change what that id meant.
 */
@Injectable()
export class KeyStore {
  readonly #logger = new Logger('Intake');
  #jwks: Jwks | undefined;
  #askedAt: Date | undefined;
  #fetchedAt: Date | undefined;
  /** Said once, not every few seconds. */
  #trouble: string | undefined;

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Every key that was ever seen. */
  async known(): Promise<Jwks> {
    if (this.#jwks === undefined) {
      const rows = await this.sql.query<{ jwk: Ed25519Jwk }>({
        text: 'select jwk from billing.receipt_key order by kid',
      });
      this.#jwks = { keys: rows.map(({ jwk }) => jwk) };
    }
    return this.#jwks;
  }

  /** When the API's key set was last read, as far as this process knows. */
  get fetchedAt(): Date | undefined {
    return this.#fetchedAt;
  }

  /** Looks for new keys, unless that was done a moment ago: in the API's key set, and in what others have stored. */
  async refresh(): Promise<void> {
    const askedAt = this.now();
    if (this.#askedAt !== undefined && askedAt.getTime() - this.#askedAt.getTime() < fetchPauseMs) return;
    this.#askedAt = askedAt;
    this.#jwks = undefined;
    let keys: readonly Ed25519Jwk[];
    try {
      ({ keys } = await this.#fetch());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#trouble) this.#logger.warn(`the API's keys could not be read: ${reason}`);
      this.#trouble = reason;
      return;
    }
    this.#trouble = undefined;
    await this.sql.query({
      text: `insert into billing.receipt_key (kid, jwk, first_seen_at)
        select kid, jwk, $3 from unnest($1::text[], $2::jsonb[]) as t (kid, jwk) on conflict (kid) do nothing`,
      values: [keys.map(({ kid }) => kid), keys.map((jwk) => JSON.stringify(jwk)), askedAt],
    });
    this.#fetchedAt = askedAt;
  }

  async #fetch(): Promise<Jwks> {
    const response = await fetch(this.config.apiJwksUrl, {
      headers: { accept: 'application/json', 'cache-control': 'no-cache' },
      redirect: 'error',
      signal: AbortSignal.timeout(fetchTimeoutMs),
    });
    if (!response.ok) throw new Error(`the API answered ${response.status}`);
    const text = await response.text();
    if (text.length > longestKeySet) throw new Error('the key set is too long');
    return parseJwks(JSON.parse(text));
  }
}
