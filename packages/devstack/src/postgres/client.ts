import { Client, Pool, type QueryResultRow } from 'pg';

/** Runs one statement on a connection of its own and closes it. Throws what the server answered. */
export async function adminQuery<Row extends QueryResultRow = QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // a server that goes away also rejects the query, which is where it is handled
  try {
    await client.connect();
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const kept = new Map<string, Pool>();

/**
 * As `adminQuery`, on a connection that is kept for a moment: a test that waits for something asks every few
 * milliseconds. A statement that sets something of its session has a connection of its own.
 */
export async function keptQuery<Row extends QueryResultRow = QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  if (/^\s*set\b/i.test(text)) return adminQuery<Row>(url, text, values);
  const pool = kept.get(url) ?? openKept(url);
  const ask = async (): Promise<Row[]> => (await pool.query<Row>(text, [...values])).rows;
  // A connection from before the server went away is found out when it is used.
  return ask().catch(async (error: { readonly severity?: string }) => {
    if (error.severity === 'ERROR') throw error;
    return ask();
  });
}

function openKept(url: string): Pool {
  const pool = new Pool({ connectionString: url, idleTimeoutMillis: 500, allowExitOnIdle: true });
  // One that the server ends is replaced at the next question.
  pool.on('error', () => undefined);
  kept.set(url, pool);
  return pool;
}

/** Makes the database when it is missing, and answers its URL. Of two that ask at once both get it. */
export async function ensureDatabase(adminUrl: string, name: string): Promise<string> {
  const found = await adminQuery(adminUrl, 'select 1 from pg_database where datname = $1', [name]);
  if (found.length === 0) {
    await adminQuery(adminUrl, `create database ${quoteIdentifier(name)}`).catch((error: unknown) => {
      if (!alreadyThere.has(codeOf(error))) throw error;
    });
  }
  return databaseUrl(adminUrl, name);
}

/** duplicate_database, or unique_violation when the other one's create is not committed yet. */
const alreadyThere = new Set(['42P04', '23505']);

/** The same server and user, another database. */
export function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** An identifier of SQL, quoted. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The SQLSTATE of an error of the server, or the system's code of a connection that failed; empty for others. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}
