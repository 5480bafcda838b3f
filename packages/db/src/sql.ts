import { Problem } from '@keyfare/core/problem';
import { Pool, type PoolClient } from 'pg';

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

export interface SqlSettings {
  readonly url: string;
  readonly applicationName: string;
  readonly role?: string;
  readonly poolSize?: number;
  readonly connectTimeoutMs?: number;
  /** After this a statement counts as lost, and its connection is thrown away. */
  readonly queryTimeoutMs?: number;
}

/** The plain driver for the hot path: prepared statements, short waits, no object mapping. */
export class SqlPool implements Sql {
  readonly #pool: Pool;

  constructor(settings: SqlSettings) {
    this.#pool = new Pool({
      connectionString: settings.url,
      application_name: settings.applicationName,
      max: settings.poolSize ?? 8,
      connectionTimeoutMillis: settings.connectTimeoutMs ?? 3_000,
      query_timeout: settings.queryTimeoutMs ?? 10_000,
      keepAlive: true,
      ...(settings.role === undefined ? {} : { options: `-c role=${settings.role}` }),
    });
    // An idle connection that breaks is replaced at its next use; the caller of that use hears of it, nobody else.
    this.#pool.on('error', () => undefined);
  }

  async query<Row>(statement: Statement): Promise<readonly Row[]> {
    return run<Row>(await this.#pool.query(forDriver(statement)));
  }

  /**
   * Runs the work in one transaction, and rolls back when it throws. No network call belongs inside: a transaction
   * holds locks that other calls wait for.
   */
  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work(onClient(client));
      await client.query('commit');
      return result;
    } catch (error) {
      broken = isUnavailable(error) && error instanceof Error ? error : undefined;
      if (broken === undefined) await client.query('rollback');
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

interface DriverResult {
  readonly rows: unknown[];
}

function run<Row>(result: DriverResult): readonly Row[] {
  return result.rows as Row[];
}

function forDriver(statement: Statement): { text: string; name?: string; values?: unknown[] } {
  return {
    text: statement.text,
    ...(statement.name === undefined ? {} : { name: statement.name }),
    ...(statement.values === undefined ? {} : { values: statement.values as unknown[] }),
  };
}

function onClient(client: PoolClient): Sql {
  return {
    query: async <Row>(statement: Statement) => run<Row>(await client.query(forDriver(statement))),
  };
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
 * Whether the error says that the database could not be reached or went away, so that the outcome of the statement is
 * unknown; any other error is the database's answer. PostgreSQL Appendix A: class 08, 57P01–57P05, 53300.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  const code = errorCode(error);
  if (code !== undefined && networkCodes.has(code)) return true;
  if (code !== undefined && (/^08/.test(code) || /^57P0[1-5]$/.test(code) || code === '53300')) return true;
  return driverWords.test(error.message) || isUnavailable(error.cause);
}

/** Whether the database gave up the transaction for another's sake: running it again is right. Class 40. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && /^40/.test(errorCode(error) ?? '');
}

/** The SQLSTATE or the system's error code, where the error has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The same error, or a 503 `service/database-unavailable` in place of a lost connection. */
export function asProblem(error: unknown): unknown {
  if (!isUnavailable(error)) return error;
  return new Problem('service/database-unavailable', undefined, { cause: error });
}
