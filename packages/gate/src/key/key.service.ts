import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { errorCode } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { GateConfig } from '../config.js';
import { KeyEntity } from './key.entity.js';
import { formatKey, generateKey, generateSecret, type KeyParts, keyMaterial } from './key-format.js';
import { hashSecret } from './pepper.js';
import { SecretEntity } from './secret.entity.js';

/** A key as an operator sees it: everything but the secret. */
export interface KeySummary {
  readonly id: string;
  readonly accountId: string;
  readonly environment: 'live' | 'test';
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly secrets: readonly {
    readonly lastFour: string;
    readonly state: 'pending' | 'active' | 'retiring' | 'expired';
    readonly expiresAt: Date | null;
  }[];
}

export interface IssuedKey {
  readonly key: KeySummary;
  /** The whole key. It is shown here and never again. */
  readonly secret: string;
}

/** Issues, rotates and revokes keys. Every change reaches all processes through the table's own notifications. */
@Injectable()
export class KeyService {
  constructor(
    private readonly config: GateConfig,
    private readonly dataSource: DataSource,
  ) {}

  /** A new key for an account. 404 `account/not-found`. */
  async issue(
    accountId: string,
    options: { name: string; scopes?: readonly string[]; expiresAt?: Date | null },
  ): Promise<IssuedKey> {
    const parts = generateKey(this.config.environment);
    const now = this.config.clock();
    try {
      await this.dataSource.transaction(async (tx) => {
        await tx.insert(KeyEntity, {
          id: parts.id,
          accountId,
          environment: parts.environment,
          name: options.name,
          scopes: [...(options.scopes ?? [])],
          createdAt: now,
          expiresAt: options.expiresAt ?? null,
        });
        await this.#addSecret(tx, parts, { activatedAt: now, graceSeconds: 0 });
      });
    } catch (error) {
      if (errorCode(error) === '23503') throw new Problem('account/not-found', undefined, { cause: error });
      throw error;
    }
    return { key: await this.find(parts.id), secret: formatKey(parts) };
  }

  /**
   * A second secret for the key. It becomes active when it is first used, and from that moment the older ones live for
   * `graceSeconds` more. A rotation that was never used is replaced. 404 `key/not-found`, 401 `credential/revoked`.
   */
  async rotate(keyId: string, graceSeconds: number): Promise<IssuedKey> {
    const secret = await this.dataSource.transaction(async (tx) => {
      const key = await tx.findOne(KeyEntity, { where: { id: keyId }, lock: { mode: 'pessimistic_write' } });
      if (key === null) throw new Problem('key/not-found');
      if (key.revokedAt !== null) throw new Problem('credential/revoked');
      await tx.query('delete from keyfare.api_key_secret where key_id = $1 and activated_at is null', [keyId]);
      const parts: KeyParts = { environment: key.environment, id: keyId, secret: generateSecret() };
      await this.#addSecret(tx, parts, { activatedAt: null, graceSeconds });
      return formatKey(parts);
    });
    return { key: await this.find(keyId), secret };
  }

  /** Ends the key for good; every process refuses it within a second. Revoking twice changes nothing. */
  async revoke(keyId: string): Promise<KeySummary> {
    await this.dataSource.query('update keyfare.api_key set revoked_at = $2 where id = $1 and revoked_at is null', [
      keyId,
      this.config.clock(),
    ]);
    return this.find(keyId);
  }

  /** 404 `key/not-found`. */
  async find(keyId: string): Promise<KeySummary> {
    const key = await this.dataSource.manager.findOneBy(KeyEntity, { id: keyId });
    if (key === null) throw new Problem('key/not-found');
    const secrets = await this.dataSource.manager.find(SecretEntity, { where: { keyId }, order: { createdAt: 'ASC' } });
    return this.#summary(key, secrets);
  }

  async list(accountId: string): Promise<readonly KeySummary[]> {
    const keys = await this.dataSource.manager.find(KeyEntity, { where: { accountId }, order: { createdAt: 'ASC' } });
    return Promise.all(keys.map(async ({ id }) => this.find(id)));
  }

  async #addSecret(
    tx: EntityManager,
    parts: KeyParts,
    { activatedAt, graceSeconds }: { activatedAt: Date | null; graceSeconds: number },
  ): Promise<void> {
    const { peppers } = this.config;
    const hash = hashSecret(peppers, peppers.current, keyMaterial(parts));
    if (hash === undefined) throw new Error('the current pepper is not configured');
    await tx.insert(SecretEntity, {
      id: randomUUID(),
      keyId: parts.id,
      hash,
      pepperId: peppers.current,
      lastFour: parts.secret.slice(-4),
      createdAt: this.config.clock(),
      activatedAt,
      graceSeconds,
      expiresAt: null,
    });
  }

  #summary(key: KeyEntity, secrets: readonly SecretEntity[]): KeySummary {
    const now = this.config.clock();
    return {
      id: key.id,
      accountId: key.accountId,
      environment: key.environment,
      name: key.name,
      scopes: key.scopes,
      createdAt: key.createdAt,
      expiresAt: key.expiresAt,
      revokedAt: key.revokedAt,
      secrets: secrets.map(({ lastFour, activatedAt, expiresAt }) => ({
        lastFour,
        state:
          activatedAt === null ? 'pending' : expiresAt === null ? 'active' : expiresAt > now ? 'retiring' : 'expired',
        expiresAt,
      })),
    };
  }
}
