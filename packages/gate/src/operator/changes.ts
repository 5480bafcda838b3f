import { hash, randomUUID } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { Problem } from '@keyfare/core/problem';
import { asProblem, errorCode, type Sql, type SqlPool } from '@keyfare/db/sql';
import type { FastifyRequest } from 'fastify';
import { etagOf } from './etag.js';
import { openAnswer, sealAnswer } from './sealed-answer.js';

/** What a change did, as operators see it. */
export interface Change<Answer> {
  /** The id of what was changed. */
  readonly subject: string;
  /** The view before the change; null for what is new. */
  readonly before: object | null;
  readonly after: object | null;
  /** What the request is answered: JSON values only. */
  readonly answer: Answer;
}

export interface ChangesSettings {
  readonly pool: Pick<SqlPool, 'transaction' | 'query'>;
  /** The schema of the tables `audit` and `idempotent_request`. */
  readonly schema: string;
}

const keyShape = /^[\x21-\x7e]{1,255}$/;
/** So long a request may wait for the same one that came before it. */
const lockTimeout = '5s';
/** Answers of requests with an `Idempotency-Key` are kept for a day. */
const maxAge = '1 day';

/**
 * The one way in which operators change something: the precondition, the change, its line in the audit log and the answer
 * that the same `Idempotency-Key` gets again are one transaction. A second request with the key waits for the first, and
 * gets its answer (draft-ietf-httpapi-idempotency-key-header); a refused or broken one leaves nothing behind.
 */
export class Changes {
  readonly #settings: ChangesSettings;

  constructor(settings: ChangesSettings) {
    this.#settings = settings;
  }

  /**
   * Rejects with what the work throws, and with 400 `request/invalid` (key), 409 `request/in-progress`, 422
   * `request/idempotency-key-reused`, 503 `service/database-unavailable`.
   */
  async make<Answer extends object>(
    request: FastifyRequest,
    action: string,
    work: (tx: Sql) => Promise<Change<Answer>>,
  ): Promise<Answer> {
    const operator = operatorOf(request);
    const key = idempotencyKeyOf(request);
    const { pool, schema } = this.#settings;
    try {
      return await pool.transaction(async (tx) => {
        await tx.query({ text: `set local lock_timeout = '${lockTimeout}'` });
        if (key !== null) {
          const known = await this.#claim(tx, request, key);
          if (known !== null) return JSON.parse(openAnswer(known, operator.token)) as Answer;
        }
        const { subject, before, after, answer } = await work(tx);
        await tx.query({
          text: `insert into ${schema}.audit (operator_id, operator_name, action, subject, before, after, request_id)
            values ($1, $2, $3, $4, $5, $6, $7)`,
          values: [operator.id, operator.name, action, subject, json(before), json(after), requestIdOf(request)],
        });
        if (key !== null) {
          await tx.query({
            text: `update ${schema}.idempotent_request set answer = $3 where operator_id = $1 and key_hash = $2`,
            values: [operator.id, sha256(key), sealAnswer(JSON.stringify(answer), operator.token)],
          });
        }
        return answer;
      });
    } catch (error) {
      throw inProgress(asProblem(error));
    }
  }

  /** Deletes answers that are too old to be asked for again. */
  async forget(): Promise<void> {
    const { pool, schema } = this.#settings;
    await pool.query({
      text: `delete from ${schema}.idempotent_request where created_at < now() - interval '${maxAge}'`,
    });
  }

  /** Null where the request is the first with its key, which it holds from here on; else the answer of the first. */
  async #claim(tx: Sql, request: FastifyRequest, key: string): Promise<Buffer | null> {
    const { schema } = this.#settings;
    const fingerprint = fingerprintOf(request);
    const mine = [operatorOf(request).id, sha256(key)];
    const claimed = await tx.query({
      text: `insert into ${schema}.idempotent_request (operator_id, key_hash, fingerprint, answer)
        values ($1, $2, $3, '') on conflict (operator_id, key_hash) do nothing returning 1`,
      values: [...mine, fingerprint],
    });
    if (claimed.length > 0) return null;
    const [row] = await tx.query<{ fingerprint: Buffer; answer: Buffer }>({
      text: `select fingerprint, answer from ${schema}.idempotent_request where operator_id = $1 and key_hash = $2`,
      values: mine,
    });
    // Deleted for its age just now: as good as under way.
    if (row === undefined) throw new Problem('request/in-progress', undefined, { headers: { 'retry-after': '1' } });
    if (!row.fingerprint.equals(fingerprint)) throw new Problem('request/idempotency-key-reused');
    return row.answer;
  }
}

/** 428 without `If-Match`, 412 where it names another version than this view (RFC 9110 §13.1.1, RFC 6585 §3). */
export function requireMatch(request: FastifyRequest, view: object): void {
  const presented = request.headers['if-match'];
  if (presented === undefined) throw new Problem('request/precondition-required');
  if (presented !== '*' && !presented.split(',').some((tag) => tag.trim() === etagOf(view))) {
    throw new Problem('request/precondition-failed');
  }
}

/** Who asks. The guard of the route has put it there. */
export function operatorOf(request: FastifyRequest): NonNullable<FastifyRequest['operator']> {
  if (request.operator === undefined) throw new TypeError('the route is not guarded by OperatorGuard');
  return request.operator;
}

/** As the answer's `Request-Id` and the access line have it. */
export function requestIdOf(request: FastifyRequest): string {
  return request.keyfare?.id ?? (request.occurrence ??= randomUUID());
}

function idempotencyKeyOf(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && keyShape.test(key)) return key;
  throw new Problem('request/invalid', 'The Idempotency-Key must be 1 to 255 printable ASCII characters.');
}

function fingerprintOf(request: FastifyRequest): Buffer {
  const { method, originalUrl, body } = request;
  return sha256(canonicalJson([method, originalUrl, body ?? null] as never));
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function json(view: object | null): string | null {
  return view === null ? null : JSON.stringify(view);
}

/** SQLSTATE 55P03: what is to be changed, or the key, is held by a request that takes its time. */
function inProgress(error: unknown): unknown {
  if (errorCode(error) !== '55P03') return error;
  return new Problem('request/in-progress', undefined, { cause: error, headers: { 'retry-after': '1' } });
}
