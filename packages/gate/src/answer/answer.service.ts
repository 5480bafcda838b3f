import { createHash, timingSafeEqual } from 'node:crypto';
import { GroupCommit } from '@keyfare/db/group-commit';
import { asProblem, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { answerRows, bytesInOneStatement, insertAnswers } from './keep.sql.js';
import type { NewAnswer, StoredAnswer } from './stored-answer.js';

const deletedAtOnce = 1_000;

/**
 * Answers to paid calls, to be given again to their owners. An authorization is public once it is on the chain, so the
 * payment alone proves nothing: the owner shows the name that came with the first presentation. An answer without a
 * name is kept for a short time and only until it was delivered, for the caller whose connection broke.
 */
@Injectable()
export class AnswerService {
  readonly #logger = new Logger('Answer');
  readonly #stores: GroupCommit<NewAnswer, true>;
  readonly #deletes: GroupCommit<string, true>;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
  ) {
    this.#stores = new GroupCommit({
      write: (items) => this.#write(items),
      waitsInDoubt: false,
      weigh: ({ body }) => body.length,
      maxWeight: bytesInOneStatement,
    });
    this.#deletes = new GroupCommit({
      write: async (ids) => {
        await sql.query({
          name: 'keyfare_delete_answers',
          text: `delete from keyfare.answer where exchange_id = any($1::uuid[]) and owners = ''`,
          values: [ids],
        });
        return ids.map(() => true as const);
      },
    });
  }

  /** An answer as it is to be kept, with its end; null when it is larger than answers may be. */
  prepare(answer: StoredAnswer): NewAnswer | null {
    const { maxBytes, maxAgeMs, retryMs } = this.config.answers;
    if (Buffer.byteLength(answer.body) > maxBytes) return null;
    const ageMs = answer.owners.length === 0 ? retryMs : maxAgeMs;
    return { ...answer, expiresAt: new Date(this.config.clock().getTime() + ageMs) };
  }

  /** Keeps an answer by itself. Rejects with 503 while the database is away. */
  async store(answer: NewAnswer): Promise<void> {
    await this.#stores.commit(answer);
  }

  /**
   * The answer, for who may have it: who shows one of its owners' names, or anybody while it has none, was not
   * delivered and is young. Null otherwise, or when it is not kept.
   */
  async find(exchangeId: string, shown: readonly Buffer[]): Promise<StoredAnswer | null> {
    const [row] = await this.sql
      .query<{ owners: Buffer; status: number; headers: StoredAnswer['headers']; body: Buffer; expires_at: Date }>({
        name: 'keyfare_find_answer',
        text: 'select owners, status, headers, body, expires_at from keyfare.answer where exchange_id = $1',
        values: [exchangeId],
      })
      .catch((error: unknown) => {
        throw asProblem(error);
      });
    if (row === undefined || row.expires_at <= this.config.clock()) return null;
    const { status, headers, body } = row;
    const owners = split(row.owners);
    const isOwner = owners.some((owner) =>
      shown.some((name) => owner.length === name.length && timingSafeEqual(owner, name)),
    );
    return owners.length === 0 || isOwner ? { exchangeId, owners, status, headers, body } : null;
  }

  /** The answer has arrived: without an owner nobody may have it again, and it is deleted. */
  delivered(exchangeId: string): void {
    this.#deletes.commit(exchangeId).catch((error: unknown) => this.#logger.warn(error));
  }

  /** Deletes what is too old, within the caller's transaction, so many at most. */
  async sweep(tx: Sql): Promise<void> {
    await tx.query({
      name: 'keyfare_sweep_answers',
      text: `delete from keyfare.answer where exchange_id in (
        select exchange_id from keyfare.answer where expires_at < $1 order by expires_at limit ${deletedAtOnce}
        for update skip locked)`,
      values: [this.config.clock()],
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#stores.close(), this.#deletes.close()]);
  }

  async #write(items: readonly NewAnswer[]): Promise<readonly true[]> {
    await this.sql.query({ name: 'keyfare_store_answers', text: insertAnswers, values: answerRows.values(items) });
    return items.map(() => true as const);
  }
}

function split(owners: Buffer): readonly Buffer[] {
  return Array.from({ length: owners.length / 32 }, (_, index) => owners.subarray(index * 32, index * 32 + 32));
}

/** The form in which a name is kept: names are secrets of their owners. */
export function ownerOf(kind: 'idempotency-key' | 'payment-identifier', name: string): Buffer {
  return createHash('sha256').update(`${kind}\n${name}`).digest();
}
