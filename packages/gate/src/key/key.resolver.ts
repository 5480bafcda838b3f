import { timingSafeEqual } from 'node:crypto';
import type { AccountPrincipal } from '@keyfare/core/principal';
import { Problem } from '@keyfare/core/problem';
import { GroupCommit } from '@keyfare/db/group-commit';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { VersionedCache } from '../versioned-cache.js';
import { type KeyParts, keyMaterial, parseKey } from './key-format.js';
import { type KeyRecord, readKeys, type SecretRecord } from './key-record.js';
import { KeyUses } from './key-uses.js';
import { hashSecret } from './pepper.js';

/** RFC 6750 §3: a refused bearer token is answered with this challenge. */
const invalidToken = { 'www-authenticate': 'Bearer realm="keyfare", error="invalid_token"' };

/** So many keys may wait to be read; with more, the next is refused. */
const maxReads = 1_000;
/** After a statement that met keys of nobody's: a flood of wrong ones costs the database next to nothing. */
const readEveryMs = 25;

/**
 * Proves whose key it is. It counts nothing, limits nothing, and writes only the first use of a rotated-in secret, new
 * hashes, and, later, when keys were last used.
 */
@Injectable()
export class KeyResolver {
  readonly cache: VersionedCache<KeyRecord>;
  readonly #rehashing = new Set<string>();
  readonly #logger = new Logger('Key');

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly uses: KeyUses,
  ) {
    // However many keys come, one statement at a time reads all that wait; behind keys that are nobody's, not too many
    // a second. Where keys are good and cannot be remembered, for the listener is down, none waits for that.
    let strangersAtMs = Number.NEGATIVE_INFINITY;
    const reads = new GroupCommit<string, KeyRecord | undefined>({
      write: async (ids) => {
        const earlyMs = strangersAtMs + readEveryMs - performance.now();
        if (earlyMs > 0) await new Promise((wake) => setTimeout(wake, earlyMs));
        const beganAtMs = performance.now();
        const records = await readKeys(sql, ids);
        if (records.includes(undefined)) strangersAtMs = beganAtMs;
        return records;
      },
      waitsInDoubt: false,
      maxWaiting: maxReads,
    });
    this.cache = new VersionedCache({
      read: (id) => reads.commit(id),
      nowMs: () => performance.now(),
      maxAgeMs: config.keyCacheMaxAgeMs,
      maxValues: 100_000,
    });
  }

  /**
   * The principal behind a presented key, at once when the key is remembered. Throws 401 `credential/malformed`,
   * `credential/unknown`, `credential/revoked` or `credential/expired`; which of the last two is told only to who knows
   * the secret. A key of another environment than the gate's is unknown here, without a look-up.
   */
  resolve(presented: string): AccountPrincipal | Promise<AccountPrincipal> {
    const parts = parseKey(presented);
    if (parts === null) throw new Problem('credential/malformed', undefined, { headers: invalidToken });
    if (parts.environment !== this.config.environment) {
      const detail = `This gate takes kf_${this.config.environment}_ keys only.`;
      throw new Problem('credential/unknown', detail, { headers: invalidToken });
    }
    const known = this.cache.peek(parts.id);
    return known === undefined
      ? this.cache.read(parts.id).then((record) => this.#prove(record, parts))
      : this.#prove(known, parts);
  }

  #prove(record: KeyRecord | undefined, parts: KeyParts): AccountPrincipal | Promise<AccountPrincipal> {
    const secret = record === undefined ? undefined : this.#match(record, parts);
    if (record === undefined || secret === undefined) {
      throw new Problem('credential/unknown', undefined, { headers: invalidToken });
    }
    this.#checkLife(record, secret);
    if (this.config.retiringPeppers.has(secret.pepperId)) this.#rehash(record.id, secret, parts);
    const principal: AccountPrincipal = {
      kind: 'account',
      accountId: record.accountId,
      keyId: record.id,
      secretId: secret.id,
      environment: record.environment,
      scopes: record.scopes,
    };
    return secret.activatedAt === null ? this.#activate(record.id, secret.id).then(() => principal) : principal;
  }

  #match(record: KeyRecord, parts: KeyParts): SecretRecord | undefined {
    if (record.environment !== parts.environment) return undefined;
    const material = keyMaterial(parts);
    let hash: Buffer | undefined;
    let pepperId: string | undefined;
    for (const secret of record.secrets) {
      if (pepperId !== secret.pepperId) {
        pepperId = secret.pepperId;
        hash = hashSecret(this.config.peppers, pepperId, material);
      }
      if (hash !== undefined && timingSafeEqual(hash, secret.hash)) return secret;
    }
    return undefined;
  }

  #checkLife(record: KeyRecord, secret: SecretRecord): void {
    // Whatever the time of it: the clock of the process that revoked may be ahead of this one's.
    if (record.revokedAt !== null) {
      throw new Problem('credential/revoked', undefined, { headers: invalidToken });
    }
    const now = this.config.clock();
    const ended = (at: Date | null): boolean => at !== null && at <= now;
    if (ended(record.expiresAt) || ended(secret.expiresAt)) {
      throw new Problem('credential/expired', undefined, { headers: invalidToken });
    }
    this.uses.note(record.id, now);
  }

  /**
   * Hashes a secret under the current pepper, so that the one it is under can go. No call waits for it, and one that
   * fails is tried at the next use. The key is locked before its secret, as a rotation does.
   */
  #rehash(keyId: string, secret: SecretRecord, parts: KeyParts): void {
    const { peppers } = this.config;
    const hash = hashSecret(peppers, peppers.current, keyMaterial(parts));
    if (hash === undefined || this.#rehashing.has(secret.id)) return;
    this.#rehashing.add(secret.id);
    this.sql
      .query({
        text: `
          with key as materialized (select id from keyfare.api_key where id = $1 for update)
          update keyfare.api_key_secret s set hash = $3, pepper_id = $4 from key
          where s.id = $2 and s.key_id = key.id and s.pepper_id = $5`,
        values: [keyId, secret.id, hash, peppers.current, secret.pepperId],
      })
      .catch((error: unknown) => this.#logger.warn(error))
      .finally(() => this.#rehashing.delete(secret.id));
  }

  /**
   * The first use of a rotated-in secret starts the end of the others. One statement: only one use is the first. The
   * key is locked before its secrets, as a rotation does: a change of a secret changes the key's version.
   */
  async #activate(keyId: string, secretId: string): Promise<void> {
    await this.sql.query({
      text: `
        with key as materialized (select id from keyfare.api_key where id = $1 for update),
        first as (
          update keyfare.api_key_secret s set activated_at = $3 from key
          where s.id = $2 and s.key_id = key.id and s.activated_at is null returning s.grace_seconds)
        update keyfare.api_key_secret s
        set expires_at = least(coalesce(s.expires_at, 'infinity'), $3::timestamptz + make_interval(secs => first.grace_seconds))
        from first where s.key_id = $1 and s.id <> $2`,
      values: [keyId, secretId, this.config.clock()],
    });
  }
}
