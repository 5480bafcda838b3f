import { randomUUID } from 'node:crypto';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { ListPart } from '../terminal/output.js';
import { problemFailure, TimedOut, unreachableFailure } from './refusal.js';

/** A JSON object of an answer. What the server adds later is passed on. */
export type Row = Readonly<Record<string, unknown>>;

/** A query; what is undefined is left out. */
export type Query = Readonly<Record<string, string | undefined>>;

export interface ClientSettings {
  /** `KEYFARE_API_URL`, to name it in errors. */
  readonly name: string;
  readonly url: URL;
  /** The operator's; undefined for what anybody may ask. */
  readonly token: string | undefined;
  readonly timeoutMs: number;
  /** Given again, the same command has its effect once. */
  readonly idempotencyKey: string | undefined;
  readonly note: (text: string) => void;
}

/** An answer, and its version for `If-Match`. */
export interface Answer {
  readonly body: Row;
  readonly etag: string | null;
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

const attempts = 4;
const firstPauseMs = 250;
const longestPauseMs = 5_000;
/** As many rows as the server gives in one page. */
const pageSize = 200;

/**
 * One service over HTTP. What could not be delivered is sent again, three times at most: reads as they are, writes
 * under the one `Idempotency-Key` they were sent with first, so that the server does them once.
 */
export class Client {
  constructor(private readonly settings: ClientSettings) {}

  /** A JSON answer. */
  async get(path: string, query?: Query): Promise<Answer> {
    return readAnswer(await this.#send({ method: 'GET', path, query }));
  }

  /** The answer as it is, still arriving. */
  async stream(path: string, query: Query | undefined, accept: string): Promise<Response> {
    return this.#send({ method: 'GET', path, query, headers: { accept } });
  }

  /** A write. */
  async post(path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return readAnswer(await this.#write({ method: 'POST', path, body, headers }));
  }

  /** Changes what `path` shows now: reads its version, and sends the change for that version only. */
  async change(path: string, body: object): Promise<Answer> {
    const { etag } = await this.get(path);
    const headers = { 'if-match': etag ?? '*' };
    return readAnswer(await this.#write({ method: 'PATCH', path, body, headers }));
  }

  /** The rows of a list, page by page, `limit` of them at most. */
  async *list(path: string, query: Query, limit: number): AsyncGenerator<ListPart<Row>> {
    let cursor: string | undefined;
    let left = limit;
    do {
      const page = await this.get(path, { ...query, cursor, limit: String(Math.min(pageSize, left)) });
      const { items, next } = page.body;
      if (!Array.isArray(items)) throw this.#strange('a list was expected');
      left -= items.length;
      cursor = typeof next === 'string' ? next : undefined;
      yield { items: items as Row[], more: cursor !== undefined };
    } while (cursor !== undefined && left > 0);
  }

  async #write(request: Request): Promise<Response> {
    const key = this.settings.idempotencyKey ?? randomUUID();
    try {
      return await this.#send({ ...request, headers: { ...request.headers, 'idempotency-key': key } });
    } catch (error) {
      if (error instanceof Failure && error.exitCode === exitCodes.unreachable) {
        this.settings.note(
          `It may have been done all the same: repeat it with --idempotency-key ${key} to do it once.`,
        );
      }
      throw error;
    }
  }

  async #send(request: Request): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#exchange(request);
      if (outcome instanceof Response && outcome.ok) return outcome;
      const mayRepeat = outcome instanceof Response ? isTransient(outcome) : !(outcome instanceof TimedOut);
      if (!mayRepeat || attempt === attempts) {
        throw outcome instanceof Response ? await problemFailure(outcome) : outcome;
      }
      const asked =
        outcome instanceof Response ? Number(outcome.headers.get('retry-after') ?? Number.NaN) * 1_000 : Number.NaN;
      if (outcome instanceof Response) await outcome.body?.cancel();
      const pauseMs = Number.isFinite(asked) ? asked : firstPauseMs * 2 ** (attempt - 1);
      await new Promise((wake) => setTimeout(wake, Math.min(pauseMs, longestPauseMs)));
    }
  }

  /** One request: its response, or why there was none. */
  async #exchange({ method, path, query = {}, body, headers = {} }: Request): Promise<Response | Failure> {
    const { url, token, timeoutMs, name } = this.settings;
    const target = new URL(`${url.href.replace(/\/$/, '')}${path}`);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(key, value);
    try {
      return await fetch(target, {
        method,
        // A redirect would carry a write elsewhere, or lose it: the URL has to be the right one.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          accept: 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      return unreachableFailure(error, { name, url, timeoutMs });
    }
  }

  #strange(why: string): Failure {
    return new Failure(exitCodes.finding, `${this.settings.url.origin} does not answer as Keyfare does: ${why}`, {
      lines: [`Is ${this.settings.name} the right URL?`],
    });
  }
}

/** Answers that say "not now": the same request may be sent again. */
function isTransient({ status }: Response): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

async function readAnswer(response: Response): Promise<Answer> {
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new Failure(
      exitCodes.finding,
      `${new URL(response.url).origin} does not answer as Keyfare does: no JSON object`,
    );
  }
  return { body: body as Row, etag: response.headers.get('etag') };
}
