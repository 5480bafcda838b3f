import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import type { SharedHome } from './home/index.js';
import { identify, identifySelf, type ProcessIdentity } from './identity.js';
import { choosePort, PortTaken } from './ports.js';
import {
  databaseUrl,
  isPostgresRunning,
  keptQuery,
  type PostgresServer,
  quoteIdentifier,
  startPostgres,
  stopPostgres,
} from './postgres/index.js';
import { clearMemory, openTestHome } from './test-home.js';

/** A database that is made once and copied for each test file. */
export interface DatabaseTemplate {
  /** Up to 20 of a–z, 0–9 and _. */
  readonly name: string;
  /** Brings an empty database up; must close its connections. */
  readonly migrate: (url: string) => Promise<void>;
  /**
   * Anything that changes when `migrate` does: a hash of the migrations. The template is then kept and shared by all
   * processes and runs; without it each process makes its own.
   */
  readonly version?: string;
}

/**
 * For the connections that tests have of their own: a machine that stands still for ten seconds, as shared ones do, is
 * no failure of what is tested.
 */
export const patience = { connectTimeoutMs: 60_000, queryTimeoutMs: 100_000 } as const;

/** A database for one test file. */
export interface TestDatabase {
  readonly name: string;
  /** Superuser, this database. */
  readonly url: string;
  /** Superuser, the server's maintenance database. */
  readonly adminUrl: string;
  /**
   * How a program reaches it: as the superuser, or, where the tests run through a pooler, as the pooler's one login.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Ends every connection to the database and removes it. */
  drop(): Promise<void>;
}

/**
 * Makes a database that nobody else uses, on the one PostgreSQL that all test runs of this checkout share (started when
 * it does not run, by whoever comes first). Databases of processes that died without dropping theirs are removed.
 */
export async function createTestDatabase(
  options: { readonly template?: DatabaseTemplate; readonly home?: SharedHome } = {},
): Promise<TestDatabase> {
  const { adminUrl } = await startTestPostgres(options.home);
  await dropStale(adminUrl);
  const name = `test_${ownerMark(identifySelf())}_${randomBytes(6).toString('hex')}`;
  const { template } = options;
  if (template === undefined) await copyDatabase(adminUrl, 'template1', name);
  else if (!(await copyReady(adminUrl, templateName(template), name))) {
    await copyDatabase(adminUrl, await ensureTemplate(adminUrl, template), name);
  }
  return {
    name,
    url: databaseUrl(adminUrl, name),
    adminUrl,
    env: programEnvironment(databaseUrl(adminUrl, name)),
    drop: async () => await dropDatabase(adminUrl, name),
  };
}

async function copyDatabase(adminUrl: string, source: string, name: string): Promise<void> {
  await keptQuery(adminUrl, `create database ${quoteIdentifier(name)} template ${quoteIdentifier(source)}`);
}

/** Copies a template that is ready without the lock under which one is made; false where there is none. */
async function copyReady(adminUrl: string, template: string, name: string): Promise<boolean> {
  const found = await keptQuery(adminUrl, 'select 1 from pg_database where datname = $1 and not datallowconn', [
    template,
  ]);
  if (found.length === 0) return false;
  // Whoever made a newer version may just remove this one.
  return copyDatabase(adminUrl, template, name).then(
    () => true,
    (error: { readonly code?: string }) => {
      if (error.code === '3D000') return false;
      throw error;
    },
  );
}

/**
 * Which server the tests run on: `KEYFARE_TEST_POSTGRES_BIN` is the folder of another PostgreSQL's programs, and
 * `KEYFARE_TEST_POOLER` the `login@port` of a pooler in transaction mode in front of the server. `scripts/servers.mjs`
 * sets them.
 */
const { KEYFARE_TEST_POSTGRES_BIN: binDir = '', KEYFARE_TEST_POOLER: pooler = '' } = process.env;

function programEnvironment(url: string): Readonly<Record<string, string>> {
  if (pooler === '') return { DATABASE_URL: url };
  const [login = '', port = ''] = pooler.split('@');
  const direct = new URL(url);
  direct.username = login;
  const pooled = new URL(direct);
  pooled.port = port;
  return { DATABASE_URL: pooled.href, DIRECT_DATABASE_URL: direct.href, MIGRATION_DATABASE_URL: url };
}

/** Where the shared server has its data: each server of another version in a place of its own. */
function placeServer(home: SharedHome): {
  readonly dataDir: string;
  readonly password: string;
  readonly binDir?: string;
} {
  const { postgresDir, postgresPassword: password } = home;
  if (binDir === '') return { dataDir: postgresDir, password };
  const version = createHash('sha256').update(binDir).digest('hex').slice(0, 8);
  return { dataDir: `${postgresDir}-${version}`, password, binDir };
}

/** The data directory of the shared server. */
export function testServerDir(home: SharedHome = openTestHome()): string {
  return placeServer(home).dataDir;
}

/** The shared server. Tuned for tests: it survives the crash of every process, not of the machine. */
export async function startTestPostgres(home: SharedHome = openTestHome()): Promise<PostgresServer> {
  const place = placeServer(home);
  for (let attempt = 1; ; attempt += 1) {
    const settings = { port: await choosePort(), fsync: false, maxConnections: 300 };
    try {
      return await startPostgres({ ...settings, ...place });
    } catch (error) {
      if (!(error instanceof PortTaken) || attempt === 5) throw error; // somebody was faster: another port, then
    }
  }
}

/** Stops the shared server, unless another living process still has a database on it; says whether it is stopped. */
export async function stopTestPostgres(home: SharedHome = openTestHome()): Promise<boolean> {
  const { dataDir } = placeServer(home);
  if (!isPostgresRunning({ dataDir })) return true;
  const running = await startTestPostgres(home);
  const others = (await ownedDatabases(running.adminUrl)).filter(({ owner }) => owner === 'other');
  if (others.length > 0) return false;
  await stopPostgres({ dataDir });
  clearMemory(dataDir);
  return true;
}

/**
 * A template is ready when connections to it are refused; one that is not was left by a process that died over it. The
 * advisory lock (held by a session, so a dead holder lets go) keeps two processes from making one template.
 */
async function ensureTemplate(adminUrl: string, template: DatabaseTemplate): Promise<string> {
  const name = templateName(template);
  const client = new Client({ connectionString: adminUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [name]);
    const found = await client.query('select datallowconn from pg_database where datname = $1', [name]);
    if (found.rows[0]?.datallowconn === false) return name;
    await dropDatabase(adminUrl, name);
    await client.query(`create database ${quoteIdentifier(name)}`);
    await template.migrate(databaseUrl(adminUrl, name));
    await client.query(`alter database ${quoteIdentifier(name)} allow_connections false`);
    await dropOtherVersions(adminUrl, template.name, name);
    return name;
  } finally {
    await client.end();
  }
}

function templateName({ name, version }: DatabaseTemplate): string {
  if (!/^[a-z0-9_]{1,20}$/.test(name)) throw new TypeError(`"${name}" does not name a template`);
  return version === undefined
    ? `tpl_${name}_${ownerMark(identifySelf())}`
    : `tpl_${name}_v${createHash('sha256').update(version).digest('hex').slice(0, 16)}`;
}

async function dropOtherVersions(adminUrl: string, template: string, current: string): Promise<void> {
  const rows = await keptQuery<{ name: string }>(
    adminUrl,
    'select datname as name from pg_database where datname ~ $1 and datname <> $2',
    [`^tpl_${template}_v[0-9a-f]{16}$`, current],
  );
  await Promise.all(rows.map(async ({ name }) => await dropDatabase(adminUrl, name).catch(() => undefined)));
}

async function dropStale(adminUrl: string): Promise<void> {
  const stale = (await ownedDatabases(adminUrl)).filter(({ owner }) => owner === 'dead');
  // Another process may be dropping the same one: what matters is that it goes.
  await Promise.all(stale.map(async ({ name }) => await dropDatabase(adminUrl, name).catch(() => undefined)));
}

async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await keptQuery(adminUrl, `drop database if exists ${quoteIdentifier(name)} with (force)`);
}

interface OwnedDatabase {
  readonly name: string;
  readonly owner: 'self' | 'other' | 'dead';
}

async function ownedDatabases(adminUrl: string): Promise<readonly OwnedDatabase[]> {
  const rows = await keptQuery<{ name: string; mark: string }>(
    adminUrl,
    `select datname as name, substring(datname from '_(p[0-9]+_[0-9a-f]{8})(_[0-9a-f]{12})?$') as mark
       from pg_database where datname ~ '^(test|tpl_[a-z0-9_]+)_p[0-9]+_[0-9a-f]{8}(_[0-9a-f]{12})?$'`,
  );
  return rows.map(({ name, mark }) => ({ name, owner: ownerOf(mark) }));
}

function ownerOf(mark: string): OwnedDatabase['owner'] {
  const living = identify(Number(mark.slice(1, mark.indexOf('_'))));
  if (living === null || ownerMark(living) !== mark) return 'dead';
  return living.pid === process.pid ? 'self' : 'other';
}

/** Names a process for as long as the machine runs: its pid, and a digest of when and what it was started as. */
function ownerMark({ pid, startedAt, executable }: ProcessIdentity): string {
  const digest = createHash('sha256').update(join(startedAt, executable)).digest('hex').slice(0, 8);
  return `p${String(pid)}_${digest}`;
}
