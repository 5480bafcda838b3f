import { hash, randomBytes } from 'node:crypto';
import { isProblem, Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { openAnswer, sealAnswer } from '@keyfare/gate/operators';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { ApiClient } from './api-client.js';

const keyHolder = z.object({
  account: z.object({ id: z.string(), name: z.string() }),
  key: z.object({ id: z.string(), name: z.string(), expiresAt: z.iso.datetime().nullable() }),
});
type KeyHolder = z.infer<typeof keyHolder>;

/** A customer who has signed in. */
export interface CustomerSession {
  readonly token: string;
  readonly account: string;
  readonly expiresAt: Date;
}

interface Row {
  readonly account: string;
  readonly sealed_key: Buffer;
  readonly checked_at: Date;
  readonly expires_at: Date;
}

const longestMs = 30 * 60_000;
/** So long a key is believed that the API has called good: one that is revoked is out when this is over. */
const believedMs = 30_000;
const tokenShape = /^kfm_[\w-]{43}$/;

/**
 * Sessions of customers, who show a key. The API says whose it is, at the beginning and again about every half minute;
 * the key is kept under a key made of the session's token, of which the database has a hash only.
 */
@Injectable()
export class CustomerSessions {
  constructor(
    private readonly api: ApiClient,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * The API's problem for a key that is none: 401 `credential/…`, and 429 `credential/throttled` after many from an
   * address. 503 `service/overloaded` while the API is away.
   */
  async begin(key: string, address: string): Promise<CustomerSession & { readonly holder: KeyHolder }> {
    const holder = await this.#holderOf(key, address);
    const token = `kfm_${randomBytes(32).toString('base64url')}`;
    const account = holder.account.id;
    const now = this.now();
    const keyEnd = holder.key.expiresAt === null ? Number.POSITIVE_INFINITY : new Date(holder.key.expiresAt).getTime();
    const expiresAt = new Date(Math.min(now.getTime() + longestMs, keyEnd));
    await this.sql.query({ text: 'delete from billing.customer_session where expires_at < $1', values: [now] });
    await this.sql.query({
      text: `insert into billing.customer_session (token_hash, account, sealed_key, checked_at, expires_at)
        values ($1, $2, $3, $4, $5)`,
      values: [hashOf(token), account, sealAnswer(key, token), now, expiresAt],
    });
    return { token, account, expiresAt, holder };
  }

  /** Null for a token that is none, or whose time or key has ended. 503 while nobody knows whether the key is good. */
  async find(token: string, address: string): Promise<CustomerSession | null> {
    if (!tokenShape.test(token)) return null;
    const [row] = await this.sql.query<Row>({
      name: 'billing_customer_session',
      text: `select account, sealed_key, checked_at, expires_at from billing.customer_session where token_hash = $1`,
      values: [hashOf(token)],
    });
    const now = this.now();
    if (row === undefined || row.expires_at <= now) return null;
    const { account, expires_at: expiresAt } = row;
    const isFresh = now.getTime() - row.checked_at.getTime() < believedMs;
    if (!isFresh && !(await this.#isStillGood(row, { token, address, now }))) return null;
    return { token, account, expiresAt };
  }

  async end(token: string): Promise<void> {
    await this.sql.query({
      text: 'delete from billing.customer_session where token_hash = $1',
      values: [hashOf(token)],
    });
  }

  async #isStillGood(
    { sealed_key: sealed, account }: Row,
    { token, address, now }: { readonly token: string; readonly address: string; readonly now: Date },
  ): Promise<boolean> {
    try {
      const holder = await this.#holderOf(openAnswer(sealed, token), address);
      if (holder.account.id !== account) throw new Problem('credential/unknown');
    } catch (error) {
      if (!isProblem(error) || error.status !== 401) throw error;
      await this.end(token);
      return false;
    }
    await this.sql.query({
      text: 'update billing.customer_session set checked_at = $2 where token_hash = $1',
      values: [hashOf(token), now],
    });
    return true;
  }

  async #holderOf(key: string, address: string): Promise<KeyHolder> {
    return this.api.json(keyHolder, { method: 'GET', path: '/admin/key-holder', token: key, address });
  }
}

function hashOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
