import { Problem } from '@keyfare/core/problem';
import { Pool, type PoolClient } from 'pg';
import { connectionOf } from './connection.js';
import type { HostPool, Place } from './host-pool.js';
import type { PoolState, SqlObserver } from './sql-observer.js';

/** One statement. With a `name` it is prepared once for each connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** Something that runs statements: the pool, or a transaction. */
export interface Sql {
  /** The rows of one statement. */
  query<Row>(statement: Statement): Promise<readonly Row[]>;
}

/**
 * With a host's `pool`, its connections are used as they are: `role`, `poolSize` and `statementTimeoutMs` say nothing.
 */
export type SqlSettings = Place & {
  readonly applicationName: string;
  readonly role?: string;
  readonly poolSize?: number;
  readonly connectTimeoutMs?: number;
  /** So many may wait for a connection; one more is refused with 503 `service/overloaded`. @default 2000 */
  readonly maxWaiting?: number;
  /** After this a statement counts as lost, and its connection is thrown away. */
  readonly queryTimeoutMs?: number;
  /** After this the database itself gives a statement up: 503 `service/overloaded`. */
  readonly statementTimeoutMs?: number;
  /**
   * Whether the connections are those of a pooler in transaction mode, where one transaction after the other may run on
   * another server connection. Then nothing is asked of a session: no role (the login's own rights count: see
   * `checkLogin`), no prepared statements, and a `statementTimeoutMs` is set within a transaction. @default false
   */
  readonly isPooled?: boolean;
};

const defaultConnectTimeoutMs = 3_000;
const defaultQueryTimeoutMs = 10_000;

/** The plain driver for the hot path: prepared statements, short waits, no object mapping. */
export class SqlPool implements Sql {
  readonly #pool: Pool;
  /** It belongs to a host, which closes it. */
  readonly #isBorrowed: boolean;
  readonly #maxWaiting: number;
  #observer: SqlObserver | undefined;
  readonly #connectTimeoutMs: number;
  /** Of a host's pool each statement brings its own limit. */
  readonly #limits: Limits;
  readonly #isPooled: boolean;
  /** What a transaction begins with. */
  readonly #begin: string;

  constructor(settings: SqlSettings) {
    this.#maxWaiting = settings.maxWaiting ?? 2_000;
    this.#connectTimeoutMs = settings.connectTimeoutMs ?? defaultConnectTimeoutMs;
    const queryTimeoutMs = settings.queryTimeoutMs ?? defaultQueryTimeoutMs;
    this.#isBorrowed = 'pool' in settings;
    this.#limits = this.#isBorrowed ? { query_timeout: queryTimeoutMs } : {};
    this.#isPooled = settings.isPooled ?? false;
    this.#begin =
      this.#isPooled && settings.statementTimeoutMs !== undefined
        ? `begin; set local statement_timeout = ${String(settings.statementTimeoutMs)}`
        : 'begin';
    this.#pool =
      'pool' in settings ? (settings.pool as Pool) : openPool(settings, this.#connectTimeoutMs, queryTimeoutMs);
    // An idle connection that breaks is replaced at its next use; the caller of that use hears of it, nobody else.
    this.#pool.on('error', ignore);
    // One that breaks while it is held between two statements must not end the process either.
    if (!this.#isBorrowed) this.#pool.on('connect', (client) => client.on('error', ignore));
  }

  /** From now on `observer` hears what this pool does. */
  observe(observer: SqlObserver): void {
    this.#observer = observer;
  }

  /** The connections of the moment. */
  get state(): PoolState {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { busy: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }

  async query<Row>(statement: Statement): Promise<readonly Row[]> {
    if (this.#begin !== 'begin') {
      return await this.transaction((tx) => tx.query<Row>(statement)).catch((error: unknown) => {
        throw errorCode(error) === '57014' ? tooSlow(error) : error;
      });
    }
    const client = await this.#connect();
    let lost: DatabaseUnavailable | undefined;
    try {
      return await this.#onClient(client).query<Row>(statement);
    } catch (error) {
      // SQLSTATE 57014: it took longer than this pool's statements may.
      if (errorCode(error) === '57014') throw tooSlow(error);
      if (!isConnectionLost(error)) throw error;
      lost = new DatabaseUnavailable(error, { inDoubt: true });
      throw lost;
    } finally {
      client.release(lost);
    }
  }

  /**
   * Runs the work in one transaction, and rolls back when it throws. No network call belongs inside: a transaction
   * holds locks that other calls wait for. Only a connection that breaks under the commit leaves the outcome in doubt.
   */
  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let lost: DatabaseUnavailable | undefined;
    let committing = false;
    try {
      await client.query({ text: this.#begin, ...this.#limits });
      const result = await work(this.#onClient(client));
      committing = true;
      await this.#run(client, { text: 'commit' }, 'commit');
      return result;
    } catch (error) {
      if (!isConnectionLost(error)) {
        // A connection that cannot even roll back still holds the transaction, and is not to be used again.
        await client.query({ text: 'rollback', ...this.#limits }).catch((cause: unknown) => {
          lost = new DatabaseUnavailable(cause, { inDoubt: false });
        });
        throw error;
      }
      lost = new DatabaseUnavailable(error, { inDoubt: committing });
      throw lost;
    } finally {
      client.release(lost);
    }
  }

  /** Ends the connections. Those of a host's pool are the host's to end. */
  async close(): Promise<void> {
    if (!this.#isBorrowed) await this.#pool.end();
  }

  /** The driver takes a limit with a statement too, which its types do not know. */
  #forDriver({ name, text, values }: Statement): { text: string; name?: string; values?: unknown[] } {
    return {
      ...this.#limits,
      text,
      ...(name === undefined || this.#isPooled ? {} : { name }),
      ...(values === undefined ? {} : { values: values as unknown[] }),
    };
  }

  #onClient(client: PoolClient): Sql {
    return {
      query: async <Row>(statement: Statement) => this.#run<Row>(client, statement, statement.name ?? 'unnamed'),
    };
  }

  /** `name` is what an observer hears. */
  async #run<Row>(client: PoolClient, statement: Statement, name: string): Promise<readonly Row[]> {
    const ended = this.#observer?.began(name);
    try {
      const { rows } = await client.query(this.#forDriver(statement));
      ended?.('ok');
      return rows as readonly Row[];
    } catch (error) {
      ended?.(isConnectionLost(error) ? 'lost' : 'failed');
      throw error;
    }
  }

  /** Whatever keeps a connection from being made, nothing was sent, so nothing is in doubt. */
  async #connect(): Promise<PoolClient> {
    if (this.#pool.waitingCount >= this.#maxWaiting) {
      throw new Problem('service/overloaded', undefined, { headers: { 'retry-after': '1' } });
    }
    const begunAtMs = this.#observer === undefined ? 0 : performance.now();
    try {
      return await (this.#isBorrowed ? this.#borrow() : this.#pool.connect());
    } catch (error) {
      throw new DatabaseUnavailable(error, { inDoubt: false });
    } finally {
      this.#observer?.connected((performance.now() - begunAtMs) / 1_000);
    }
  }

  /** A host's pool may wait for ever; a connection that comes too late goes straight back. */
  async #borrow(): Promise<PoolClient> {
    const connecting = this.#pool.connect();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((done) => {
      timer = setTimeout(done, this.#connectTimeoutMs, undefined);
    });
    const client = await Promise.race([connecting, late]).finally(() => clearTimeout(timer));
    if (client !== undefined) return heard(client);
    void connecting.then((unused) => unused.release(), ignore);
    throw new Error('timeout exceeded when trying to connect');
  }
}

function openPool(
  settings: Exclude<SqlSettings, { pool: HostPool }>,
  connectTimeoutMs: number,
  queryTimeoutMs: number,
): Pool {
  return new Pool({
    ...connectionOf(settings),
    application_name: settings.applicationName,
    max: settings.poolSize ?? 8,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    ...optionsOf(settings),
  });
}

function ignore(): void {
  // What breaks is told to who uses it next.
}

const listening = new WeakSet<PoolClient>();

/** A connection that the host's pool made before we listened to it. */
function heard(client: PoolClient): PoolClient {
  if (listening.has(client)) return client;
  listening.add(client);
  client.on('error', ignore);
  return client;
}

/** Startup parameters: a pooler in transaction mode refuses them. */
function optionsOf(settings: SqlSettings): { options?: string } {
  const { role, statementTimeoutMs, isPooled } = settings;
  if (isPooled === true) return {};
  const { options: given } = connectionOf(settings);
  const options = [
    ...(given === undefined ? [] : [given]),
    ...(role === undefined ? [] : [`-c role=${role}`]),
    ...(statementTimeoutMs === undefined ? [] : [`-c statement_timeout=${String(statementTimeoutMs)}`]),
  ];
  return options.length === 0 ? {} : { options: options.join(' ') };
}

function tooSlow(cause: unknown): Problem {
  const detail = 'The question took the database too long. Ask for less, or for a shorter time.';
  return new Problem('service/overloaded', detail, { cause, headers: { 'retry-after': '5' } });
}

/** The database could not be reached, or went away. The cause is the driver's error. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  /** Whether what was sent may have been committed all the same. */
  readonly inDoubt: boolean;

  constructor(cause: unknown, { inDoubt }: { inDoubt: boolean }) {
    super('the database could not be reached', { cause });
    this.inDoubt = inDoubt;
  }
}

interface Limits {
  readonly query_timeout?: number;
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Words of the driver's own errors that carry no code. */
const driverWords =
  /connection terminated|connection ended|timeout exceeded|read timeout|not queryable|client was closed/i;

/**
 * Whether an error of the driver says that the connection was not to be had or broke, rather than being the database's
 * answer. PostgreSQL Appendix A: class 08, 57P01–57P05, 53300. For errors of the driver only: other clients' sockets
 * break with the same codes.
 */
export function isConnectionLost(error: unknown): boolean {
  // Not by `instanceof`: errors of Node's own modules may come from another realm.
  if (typeof error !== 'object' || error === null) return false;
  if ('errors' in error && Array.isArray(error.errors)) return error.errors.some(isConnectionLost);
  const code = errorCode(error);
  if (code !== undefined && networkCodes.has(code)) return true;
  if (code !== undefined && (code.startsWith('08') || /^57P0[1-5]$/.test(code) || code === '53300')) return true;
  if ('message' in error && typeof error.message === 'string' && driverWords.test(error.message)) return true;
  return 'cause' in error && isConnectionLost(error.cause);
}

/** Whether the database gave up the transaction for another's sake: running it again is right. Class 40. */
export function isRetryable(error: unknown): boolean {
  return errorCode(error)?.startsWith('40') === true;
}

/**
 * Whether the error is the database's verdict on the statement and its values: classes 21 to 23 and 44 (data and
 * constraints), 42 (rights and names), KF (our own functions). The same statement would be refused again. Errors of
 * the server's condition (classes 53 to 58) are none, nor is anything that another part of the program threw.
 */
export function isRefusal(error: unknown): boolean {
  return /^(2[123]|42|44|KF)[0-9A-Z]{3}$/.test(errorCode(error) ?? '');
}

/** The SQLSTATE or the system's error code, where the error has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The same error, or a 503 `service/database-unavailable` in place of a lost connection. */
export function asProblem(error: unknown): unknown {
  if (!(error instanceof DatabaseUnavailable)) return error;
  return new Problem('service/database-unavailable', undefined, { cause: error });
}
