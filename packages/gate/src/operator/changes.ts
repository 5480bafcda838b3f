import { hash, randomUUID } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { Problem } from '@keyfare/core/problem';
import { asProblem, errorCode, type Sql, type SqlPool } from '@keyfare/db/sql';
import { Logger } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { etagOf } from './etag.js';
import { lacking, type OperatorScope } from './operator.js';
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
  /** Of a change of many at once: each is a line of its own in the audit log, and takes the place of the one above. */
  readonly parts?: readonly Pick<Change<Answer>, 'subject' | 'before' | 'after'>[];
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
const hourMs = 3_600_000;

/**
 * The one way in which operators change something: the precondition, the change, its line in the audit log and the
 * answer that the same `Idempotency-Key` gets again are one transaction. A second request with the key waits for the
 * first, and gets its answer (draft-ietf-httpapi-idempotency-key-header); a refused or broken one leaves nothing
 * behind.
 */
export class Changes {
  readonly #settings: ChangesSettings;
  readonly #logger = new Logger('Operators');
  #timer: NodeJS.Timeout | undefined;
  #forgetting: Promise<void> | undefined;

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
    const { pool } = this.#settings;
    try {
      return await pool.transaction(async (tx) => {
        await tx.query({ text: `set local lock_timeout = '${lockTimeout}'` });
        if (key !== null) {
          const known = await this.#claim(tx, request, key);
          if (known !== null) return readAnswer(known, operator.token) as Answer;
        }
        return await this.record(tx, request, { action, ...(await work(tx)) });
      });
    } catch (error) {
      throw inProgress(asProblem(error));
    }
  }

  /**
   * For work that must have a transaction of its own: writes its line in the audit log, and the answer that the same
   * `Idempotency-Key` gets again, within that. Ask `answered` before the work.
   */
  async record<Answer extends object>(
    tx: Sql,
    request: FastifyRequest,
    { action, subject, before, after, answer, parts }: Change<Answer> & { readonly action: string },
  ): Promise<Answer> {
    const operator = operatorOf(request);
    const key = idempotencyKeyOf(request);
    const { schema } = this.#settings;
    await this.note(tx, request, { action, parts: parts ?? [{ subject, before, after }] });
    if (key !== null) {
      await tx.query({
        text: `insert into ${schema}.idempotent_request (operator_id, key_hash, fingerprint, answer)
          values ($1, $2, $3, $4) on conflict (operator_id, key_hash) do update set answer = excluded.answer
          where idempotent_request.answer = '' and idempotent_request.fingerprint = excluded.fingerprint`,
        values: [operator.id, sha256(key), fingerprintOf(request), sealAnswer(JSON.stringify(answer), operator.token)],
      });
    }
    return answer;
  }

  /** For one of several transactions of a request: its lines in the audit log, and nothing of the request's answer. */
  async note(
    tx: Sql,
    request: FastifyRequest,
    {
      action,
      parts,
    }: { readonly action: string; readonly parts: readonly Pick<Change<object>, 'subject' | 'before' | 'after'>[] },
  ): Promise<void> {
    const operator = operatorOf(request);
    for (const { subject, before, after } of parts) {
      await tx.query({
        text: `insert into ${this.#settings.schema}.audit (operator_id, operator_name, action, subject, before, after,
            request_id)
          values ($1, $2, $3, $4, $5, $6, $7)`,
        values: [operator.id, operator.name, action, subject, json(before), json(after), requestIdOf(request)],
      });
    }
  }

  /**
   * What the same request with its key was answered before; null where it is new or has no key. 400, 422 and 503 as
   * `make`.
   */
  async answered<Answer extends object>(request: FastifyRequest): Promise<Answer | null> {
    const key = idempotencyKeyOf(request);
    if (key === null) return null;
    try {
      const known = await this.#known(this.#settings.pool, request, key);
      return known === undefined ? null : (readAnswer(known, operatorOf(request).token) as Answer);
    } catch (error) {
      throw asProblem(error);
    }
  }

  /** Begins to delete answers that are too old to be asked for again: now, and each hour. */
  start(): void {
    const forget = (): void => {
      this.#forgetting ??= this.#forget()
        .catch((error: unknown) => {
          this.#logger.warn({ err: error }, 'old answers of operators could not be deleted; tried again in an hour');
        })
        .finally(() => {
          this.#forgetting = undefined;
        });
    };
    forget();
    this.#timer = setInterval(forget, hourMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#forgetting;
  }

  async #forget(): Promise<void> {
    const { pool, schema } = this.#settings;
    await pool.query({
      text: `delete from ${schema}.idempotent_request where created_at < now() - interval '${maxAge}'`,
    });
  }

  /** Null where the request is the first with its key, which it holds from here on; else the answer of the first. */
  async #claim(tx: Sql, request: FastifyRequest, key: string): Promise<Buffer | null> {
    const { schema } = this.#settings;
    const claimed = await tx.query({
      text: `insert into ${schema}.idempotent_request (operator_id, key_hash, fingerprint, answer)
        values ($1, $2, $3, '') on conflict (operator_id, key_hash) do nothing returning 1`,
      values: [operatorOf(request).id, sha256(key), fingerprintOf(request)],
    });
    if (claimed.length > 0) return null;
    const known = await this.#known(tx, request, key);
    // Deleted for its age just now: as good as under way.
    if (known === undefined) throw new Problem('request/in-progress', undefined, { headers: { 'retry-after': '1' } });
    return known;
  }

  async #known(sql: Sql, request: FastifyRequest, key: string): Promise<Buffer | undefined> {
    const [row] = await sql.query<{ fingerprint: Buffer; answer: Buffer }>({
      text: `select fingerprint, answer from ${this.#settings.schema}.idempotent_request
        where operator_id = $1 and key_hash = $2`,
      values: [operatorOf(request).id, sha256(key)],
    });
    if (row !== undefined && !row.fingerprint.equals(fingerprintOf(request))) {
      throw new Problem('request/idempotency-key-reused');
    }
    return row?.answer;
  }
}

/** 428 without `If-Match`, 412 where it names another version than this view (RFC 9110 §13.1.1, RFC 6585 §3). */
export function requireMatch(request: FastifyRequest, view: object): void {
  const presented = request.headers['if-match'];
  if (presented === undefined) throw new Problem('request/precondition-required');
  requireTag(presented, view);
}

/** The same of a tag that stands in a body, where a request changes several things. 412 as there. */
export function requireTag(presented: string, view: object): void {
  if (presented !== '*' && !presented.split(',').some((tag) => tag.trim() === etagOf(view))) {
    throw new Problem('request/precondition-failed');
  }
}

/** Who asks. The guard of the route has put it there. */
export function operatorOf(request: FastifyRequest): NonNullable<FastifyRequest['operator']> {
  if (request.operator === undefined) throw new TypeError('the route is not guarded by OperatorGuard');
  return request.operator;
}

/** For what only some of a route's requests ask for. 403 `operator/forbidden`. */
export function requireScope(request: FastifyRequest, scope: OperatorScope): void {
  const { id, scopes } = operatorOf(request);
  if (!scopes.includes(scope)) throw lacking(id, scope);
}

/** As the answer's `Request-Id` and the access line have it. */
export function requestIdOf(request: FastifyRequest): string {
  return request.keyfare?.id ?? (request.occurrence ??= randomUUID());
}

/** 422 for one that was sealed under another token: the request is another's. */
function readAnswer(sealed: Buffer, token: string): unknown {
  let text: string;
  try {
    text = openAnswer(sealed, token);
  } catch (error) {
    throw new Problem('request/idempotency-key-reused', undefined, { cause: error });
  }
  return JSON.parse(text);
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
