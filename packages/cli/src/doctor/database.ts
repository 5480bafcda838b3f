import { randomBytes } from 'node:crypto';
import { Listener } from '@keyfare/db/listener';
import { notify } from '@keyfare/db/notify';
import { asMissingRights, checkLogin, MissingRights } from '@keyfare/db/rights';
import { SqlPool } from '@keyfare/db/sql';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { codeOf } from '../http/refusal.js';
import { type Finding, fail, ok, skewSeconds, skipped, spanText, warn, wordsOf } from './finding.js';

/** The oldest server that the statements run on. */
const oldestVersion = 15;
const slowNotificationMs = 3_000;
/** Times of payments are compared with the database's and the chain's clock: a few seconds decide. */
const skewLimits = { warnSeconds: 2, failSeconds: 30 };

/** A login of a database, by its settings. */
export interface Database {
  /** What findings about it begin with. */
  readonly name: string;
  /** The setting that names it. */
  readonly setting: string;
  readonly url: string;
  readonly role: string;
  /** What a running program uses and must not own. */
  readonly schema: string;
  readonly isPooled: boolean;
}

/** A connection that takes on its role, where `checkLogins` found that it can. */
export function openDatabase({ url, role, isPooled }: Database): SqlPool {
  return new SqlPool({ url, applicationName: 'keyfare-doctor', role, isPooled, poolSize: 2 });
}

/** Whether the server answers, which one it is, and whether the login may run in its role: else nothing works. */
export async function checkLogins(database: Database): Promise<readonly Finding[]> {
  const { name, setting, url, isPooled } = database;
  const plain = new SqlPool({ url, applicationName: 'keyfare-doctor', isPooled, poolSize: 1 });
  try {
    const [server] = await plain.query<{ version: string; login: string }>({
      text: `select current_setting('server_version') as version, session_user::text as login`,
    });
    const { version = '0', login = '' } = server ?? {};
    return [
      ok(name, `${login} is let into ${placeOf(url)}`),
      Number.parseInt(version, 10) >= oldestVersion
        ? ok(`${name}.version`, `PostgreSQL ${version}`)
        : fail(`${name}.version`, `PostgreSQL ${version}`, `use PostgreSQL ${oldestVersion} or newer`),
      await checkRole(database, login),
    ];
  } catch (error) {
    const refused = asMissingRights(error, url);
    if (refused instanceof MissingRights) {
      return [fail(name, refused.message, `mend the login in ${setting}, or let it in`)];
    }
    const found = `${placeOf(url)} cannot be reached (${codeOf(error)})`;
    return [fail(name, found, `start the server, or mend ${setting}: host, port and database`)];
  } finally {
    await plain.close();
  }
}

async function checkRole(database: Database, login: string): Promise<Finding> {
  const { name, setting, url, role, schema, isPooled } = database;
  try {
    await checkLogin({ url, role, schema, isPooled });
  } catch (error) {
    if (!(error instanceof MissingRights)) throw error;
    const [found, remedy] = splitSentence(error.message);
    return fail(`${name}.role`, found, remedy ?? `give the login of ${setting} the role ${role}`);
  }
  const sql = openDatabase(database);
  try {
    await sql.query({ text: 'select 1' });
    return ok(`${name}.role`, isPooled ? `${login} has the rights of ${role}` : `${login} runs as ${role}`);
  } catch (error) {
    return fail(
      `${name}.role`,
      `a connection cannot take on the role ${role} at its start: ${wordsOf(error instanceof Error ? error.cause : error)}`,
      `if ${setting} is that of a pooler in transaction mode, set DIRECT_DATABASE_URL to the server itself`,
    );
  } finally {
    await sql.close();
  }
}

/**
 * Whether the login owns what it uses: who owns a table can switch its triggers off, and the log is append-only no
 * more.
 */
export async function checkOwner(sql: SqlPool, { name, schema, setting }: Database): Promise<Finding> {
  const [row] = await sql.query<{ login: string; owned: number }>({
    text: `select session_user::text as login, count(*)::int as owned from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relkind in ('r', 'p') and pg_has_role(session_user, c.relowner, 'usage')`,
    values: [schema],
  });
  const { login = '', owned = 0 } = row ?? {};
  return owned === 0
    ? ok(`${name}.owner`, `${login} owns no table of ${schema}`)
    : warn(
        `${name}.owner`,
        `${login} owns ${owned} tables of ${schema}, and can switch off what makes the log append-only`,
        `name a login in ${setting} that has the role and owns nothing, and the owner in MIGRATION_DATABASE_URL (decision 9)`,
      );
}

/** Where migrations are asked for, and with which command they are run. */
interface Migrations {
  readonly pending: () => Promise<readonly string[]>;
  readonly command: string;
}

/** Whether this version has migrations that the database has not had. */
export async function checkMigrations(name: string, { pending, command }: Migrations): Promise<Finding> {
  try {
    const names = await pending();
    if (names.length === 0) return ok(name, 'every migration ran');
    const found = `${names.length} ${names.length === 1 ? 'migration is' : 'migrations are'} pending, from ${names[0]} on`;
    return fail(name, found, `run \`${command}\` as the owner of the schema`);
  } catch (error) {
    const isRefusal =
      error instanceof MissingRights || (error instanceof Failure && error.exitCode === exitCodes.refused);
    if (isRefusal) return fail(name, wordsOf(error), 'name the owner of the schema in MIGRATION_DATABASE_URL');
    const found = `the database of MIGRATION_DATABASE_URL cannot be asked (${codeOf(error)})`;
    return fail(name, found, 'start the server, or mend MIGRATION_DATABASE_URL');
  }
}

/**
 * Whether a notification comes back: through a pooler in transaction mode none does, and keys would be cached for
 * nothing.
 */
export async function checkListening(sql: SqlPool, directUrl: string, { name }: Database): Promise<Finding> {
  const channel = `keyfare_doctor_${randomBytes(6).toString('hex')}`;
  const startedMs = performance.now();
  let listener: Listener | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const outcome = new Promise<'heard' | 'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), slowNotificationMs);
      listener = new Listener({
        url: directUrl,
        applicationName: 'keyfare-doctor',
        channels: [channel],
        onNotification: () => resolve('heard'),
        onState: () => undefined,
      });
    });
    await listener?.start();
    await notify(sql, channel, '');
    if ((await outcome) === 'heard') {
      const ms = performance.now() - startedMs;
      return ok(`${name}.listen`, `a notification came back after ${ms.toFixed(0)} ms`);
    }
    return fail(
      `${name}.listen`,
      `no notification came back in ${slowNotificationMs / 1_000} s: a pooler in transaction mode is in between`,
      'set DIRECT_DATABASE_URL to the server itself, past the pooler',
    );
  } finally {
    clearTimeout(timer);
    await listener?.close();
  }
}

/** How far the database's clock is from this machine's. */
export async function checkDatabaseClock(sql: SqlPool, { name }: Database, now: () => Date): Promise<Finding> {
  const beforeMs = now().getTime();
  const [row] = await sql.query<{ now: Date }>({ text: 'select clock_timestamp() as now' });
  const skew = skewSeconds(row?.now.getTime() ?? 0, beforeMs, now().getTime());
  const found = `the database's clock is ${spanText(skew)} ${skew < 0 ? 'behind' : 'ahead of'} this machine's`;
  const remedy = 'keep the clocks of both machines by NTP (chrony, systemd-timesyncd)';
  if (Math.abs(skew) > skewLimits.failSeconds) return fail(`${name}.clock`, found, remedy);
  if (Math.abs(skew) > skewLimits.warnSeconds) return warn(`${name}.clock`, found, remedy);
  return ok(`${name}.clock`, "the database's clock agrees with this machine's");
}

/** Whether entries of this month and the next have a partition: in the default one they cannot be retired by month. */
export async function checkPartitions(sql: SqlPool, { name, schema }: Database): Promise<Finding> {
  const rows = await sql.query<{ month: string; exists: boolean }>({
    text: `select to_char(m.month, 'YYYY-MM') as month,
        to_regclass($1 || '.entry_' || to_char(m.month, 'YYYY_MM')) is not null as exists
      from (select (now() at time zone 'UTC') + ahead * interval '1 month' as month from generate_series(0, 1) ahead) m`,
    values: [schema],
  });
  const missing = rows.filter(({ exists }) => !exists).map(({ month }) => month);
  return missing.length === 0
    ? ok(`${name}.partitions`, `this month and the next have a partition: ${rows.map(({ month }) => month).join(', ')}`)
    : fail(
        `${name}.partitions`,
        `entries of ${missing.join(' and ')} have no partition`,
        `start the API, which makes them, or run \`select ${schema}.make_months();\` as the owner of the schema`,
      );
}

/** Findings for what cannot be looked at. */
export function skipAll(names: readonly string[], why: string): readonly Finding[] {
  return names.map((name) => skipped(name, why));
}

/** Host, port and database, without login and password. */
function placeOf(url: string): string {
  if (!URL.canParse(url)) return 'the database';
  const { host, pathname } = new URL(url);
  return `${host}${decodeURIComponent(pathname)}`;
}

/** Of a sentence with its remedy behind a colon, both. */
function splitSentence(sentence: string): readonly [string, string | undefined] {
  const at = sentence.indexOf(': ');
  if (at < 0) return [sentence, undefined];
  return [sentence.slice(0, at), sentence.slice(at + 2).replace(/\.$/, '')];
}
