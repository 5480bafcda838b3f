import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ListPool } from '../list-pool.js';
import { formatKey, generateKey, generateSecret, type KeyParts, keyMaterial } from './key-format.js';
import { type KeySummary, type KeySummaryRow, keyColumns, summaryOf } from './key-summary.js';
import { hashSecret } from './pepper.js';

export interface IssuedKey {
  readonly key: KeySummary;
  /** The whole key. It is shown here and never again. */
  readonly secret: string;
}

export interface NewKey {
  readonly name: string;
  /** None: the key may buy everything. */
  readonly scopes?: readonly string[] | undefined;
  /** A time to come; null: it does not run out. */
  readonly expiresAt?: Date | null | undefined;
}

export interface Rotation {
  /** How long the older secrets live after the new one is first used. */
  readonly graceSeconds: number;
  /** Whether a secret that was rotated in before, and never used, may be thrown away. */
  readonly replacesPending?: boolean;
}

/**
 * Issues, rotates and revokes keys. Every change reaches all processes through the table's own notifications. Each
 * method takes part in the caller's transaction where it is given one.
 */
@Injectable()
export class KeyService {
  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly lists: ListPool,
  ) {}

  /**
   * A new key for an account. 404 `account/not-found`, 409 `account/conflict` for a closed one, 400 for a time that is
   * past.
   */
  async issue(accountId: string, { name, scopes = [], expiresAt = null }: NewKey, within?: Sql): Promise<IssuedKey> {
    const now = this.config.clock();
    if (expiresAt !== null && expiresAt <= now) {
      const errors = ['expiresAt must be a time to come'];
      throw new Problem('request/invalid', undefined, { extensions: { errors } });
    }
    const parts = generateKey(this.config.environment);
    return this.#within(within, async (tx) => {
      await this.#lockOpenAccount(tx, accountId);
      await tx.query({
        text: `insert into keyfare.api_key (id, account_id, environment, name, scopes, created_at, expires_at)
          values ($1, $2, $3, $4, $5, $6, $7)`,
        values: [parts.id, accountId, parts.environment, name, scopes, now, expiresAt],
      });
      await this.#addSecret(tx, parts, { activatedAt: now, graceSeconds: 0 });
      return { key: await this.find(parts.id, tx), secret: formatKey(parts) };
    });
  }

  /**
   * A second secret for the key. It becomes active when it is first used, and from that moment the older ones live for
   * `graceSeconds` more. 404 `key/not-found`; 409 `key/conflict` for a key that was revoked or has run out, and while
   * an earlier rotation waits for its first use, unless that may be replaced: of two at once, one secret is handed out.
   */
  async rotate(keyId: string, { graceSeconds, replacesPending = false }: Rotation, within?: Sql): Promise<IssuedKey> {
    return this.#within(within, async (tx) => {
      const key = await this.lock(tx, keyId);
      if (key.revokedAt !== null) throw new Problem('key/conflict', 'The key was revoked.');
      if (key.expiresAt !== null && key.expiresAt <= this.config.clock()) {
        throw new Problem('key/conflict', 'The key has run out: a new secret would be dead.');
      }
      const isPending = key.secrets.some(({ state }) => state === 'pending');
      if (isPending && !replacesPending) {
        throw new Problem('key/conflict', 'A secret that was rotated in before waits for its first use.');
      }
      await tx.query({
        text: 'delete from keyfare.api_key_secret where key_id = $1 and activated_at is null',
        values: [keyId],
      });
      const parts: KeyParts = { environment: key.environment, id: keyId, secret: generateSecret() };
      await this.#addSecret(tx, parts, { activatedAt: null, graceSeconds });
      return { key: await this.find(keyId, tx), secret: formatKey(parts) };
    });
  }

  /**
   * Ends the key for good; every process refuses it within a second. Revoking twice changes nothing. 404
   * `key/not-found`.
   */
  async revoke(keyId: string, sql: Sql = this.sql): Promise<KeySummary> {
    await sql.query({
      text: 'update keyfare.api_key set revoked_at = $2 where id = $1 and revoked_at is null',
      values: [keyId, this.config.clock()],
    });
    return this.find(keyId, sql);
  }

  /** Ends all keys of an account. */
  async revokeAll(tx: Sql, accountId: string): Promise<void> {
    await tx.query({
      text: `update keyfare.api_key set revoked_at = $2 where revoked_at is null
        and id in (select id from keyfare.api_key where account_id = $1 order by id for update)`,
      values: [accountId, this.config.clock()],
    });
  }

  /** 404 `key/not-found`. */
  async find(keyId: string, sql: Sql = this.sql): Promise<KeySummary> {
    const [row] = await sql.query<KeySummaryRow>({
      text: `select ${keyColumns} from keyfare.api_key k where k.id = $1`,
      values: [keyId],
    });
    if (row === undefined) throw new Problem('key/not-found');
    return summaryOf(row, this.config.clock());
  }

  /** As `find`, and nobody else changes it until the caller's transaction ends. */
  async lock(tx: Sql, keyId: string): Promise<KeySummary> {
    await tx.query({ text: 'select 1 from keyfare.api_key where id = $1 for update', values: [keyId] });
    return this.find(keyId, tx);
  }

  /** The keys of an account, the oldest first, in one statement; one more than `limit`, where there are so many. */
  async list(
    accountId: string,
    {
      after,
      limit,
    }: { readonly after: { readonly createdAt: string; readonly id: string } | null; readonly limit: number },
  ): Promise<readonly KeySummary[]> {
    const rows = await this.lists.query<KeySummaryRow>({
      text: `select ${keyColumns} from keyfare.api_key k
        where k.account_id = $1 and ($2::timestamptz is null or (k.created_at, k.id) > ($2, $3))
        order by k.created_at, k.id limit $4`,
      values: [accountId, after?.createdAt ?? null, after?.id ?? null, limit + 1],
    });
    const now = this.config.clock();
    return rows.map((row) => summaryOf(row, now));
  }

  async #within<T>(within: Sql | undefined, work: (tx: Sql) => Promise<T>): Promise<T> {
    return within === undefined ? this.sql.transaction(work) : work(within);
  }

  /** The account is not closed before the key is there, which would then outlive it. */
  async #lockOpenAccount(tx: Sql, accountId: string): Promise<void> {
    const [row] = await tx.query<{ status: string }>({
      text: 'select status from keyfare.account where id = $1 for share',
      values: [accountId],
    });
    if (row === undefined) throw new Problem('account/not-found');
    if (row.status === 'closed') throw new Problem('account/conflict', 'The account is closed, for good.');
  }

  async #addSecret(
    tx: Sql,
    parts: KeyParts,
    { activatedAt, graceSeconds }: { activatedAt: Date | null; graceSeconds: number },
  ): Promise<void> {
    const { peppers } = this.config;
    const hash = hashSecret(peppers, peppers.current, keyMaterial(parts));
    if (hash === undefined) throw new Error('the current pepper is not configured');
    await tx.query({
      text: `insert into keyfare.api_key_secret
          (id, key_id, hash, pepper_id, last_four, created_at, activated_at, grace_seconds)
        values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      values: [
        randomUUID(),
        parts.id,
        hash,
        peppers.current,
        parts.secret.slice(-4),
        this.config.clock(),
        activatedAt,
        graceSeconds,
      ],
    });
  }
}
