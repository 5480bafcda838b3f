import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { grantByInheritance, quoteIdentifier } from './grant.js';
import { errorCode } from './sql.js';

/** A login lacks rights. Each is one sentence, with the statement that an administrator of the server runs. */
export class MissingRights extends Error {
  override readonly name = 'MissingRights';

  constructor(readonly sentences: readonly string[]) {
    super(sentences.join('\n'));
  }
}

/** What a schema's migrations need of the server. */
export interface SchemaNeeds {
  readonly schema: string;
  /** The roles that migrations grant to: they are made where the login may, and taken as they are where they exist. */
  readonly roles: readonly string[];
  /** `create schema if not exists` is run, which asks for CREATE on the database even where the schema is there. */
  readonly alwaysCreates?: boolean;
}

interface Standing {
  readonly login: string;
  readonly database: string;
  readonly mayCreateRoles: boolean;
  readonly mayCreateSchema: boolean;
  /** Null where there is no such schema. */
  readonly owner: string | null;
  readonly isOwner: boolean;
  /** Who owns tables, views and functions of the schema, and is not the login. */
  readonly strangers: readonly string[];
  readonly missingRoles: readonly string[];
}

const standingQuery = `
  select current_user::text as "login", current_database()::text as "database",
    (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as "mayCreateRoles",
    has_database_privilege(current_database(), 'create') as "mayCreateSchema",
    n.nspowner::regrole::text as "owner", coalesce(pg_has_role(n.nspowner, 'usage'), false) as "isOwner",
    array(
      select distinct o.owner::regrole::text from (
        select relowner as owner from pg_class where relnamespace = n.oid and relkind in ('r', 'p', 'v', 'm', 'S')
        union all select proowner from pg_proc where pronamespace = n.oid) o
      where not pg_has_role(o.owner, 'usage') order by 1) as "strangers",
    array(
      select role from unnest($2::text[]) with ordinality as r(role, n)
      where not exists (select 1 from pg_roles where rolname = r.role) order by r.n) as "missingRoles"
  from (select 1) one left join pg_namespace n on n.nspname = $1`;

/** What keeps the login from migrating: a sentence for each missing right, and none when it may. */
export async function missingRights(dataSource: DataSource, needs: SchemaNeeds): Promise<readonly string[]> {
  const [found] = await dataSource.query<Standing[]>(standingQuery, [needs.schema, needs.roles]);
  if (found === undefined) return [];
  const { login, database, owner } = found;
  const sentences = found.missingRoles
    .filter(() => !found.mayCreateRoles)
    .map(
      (role) =>
        `The role ${role} is missing and the login ${login} has no CREATEROLE: run \`create role ${quoteIdentifier(role)} nologin;\` as an administrator.`,
    );
  if (!found.mayCreateSchema && (owner === null || needs.alwaysCreates === true)) {
    const statement =
      needs.alwaysCreates === true
        ? `grant create on database ${quoteIdentifier(database)} to ${quoteIdentifier(login)};`
        : `create schema ${quoteIdentifier(needs.schema)} authorization ${quoteIdentifier(login)};`;
    sentences.push(
      `The schema ${needs.schema} is to be made and the login ${login} has no CREATE on the database ${database}: run \`${statement}\` as an administrator.`,
    );
  }
  const owners = new Set([...(owner === null || found.isOwner ? [] : [owner]), ...found.strangers]);
  for (const other of owners) {
    sentences.push(
      `The schema ${needs.schema}, or a part of it, belongs to ${other} and not to the login ${login}: migrate as ${other}, or run \`grant ${other} to ${quoteIdentifier(login)};\` as an administrator.`,
    );
  }
  return sentences;
}

/** A login as a program uses it. */
export interface LoginUse {
  readonly url: string;
  /** The role that its connections take on. */
  readonly role: string;
  /** What a running program must not own. */
  readonly schema: string;
  /** See `SqlSettings`: then the login itself must have the role's rights, and no more that would be a danger. */
  readonly isPooled: boolean;
}

interface LoginStanding {
  readonly login: string;
  readonly exists: boolean;
  readonly maySet: boolean;
  readonly inherits: boolean;
  readonly isSuperuser: boolean;
  readonly owns: boolean;
}

// PostgreSQL 16 parts being a member from being allowed to SET ROLE; before it a member always was.
const loginQuery = `
  select current_user::text as "login", r.oid is not null as "exists",
    coalesce(pg_has_role(r.oid, case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end),
      false) as "maySet",
    coalesce(pg_has_role(r.oid, 'usage'), false) as "inherits",
    (select rolsuper from pg_roles where rolname = current_user) as "isSuperuser",
    exists (select 1 from pg_namespace where nspname = $2 and pg_has_role(nspowner, 'usage')) as "owns"
  from (select 1) one left join pg_roles r on r.rolname = $1`;

/**
 * Throws `MissingRights` where the login cannot run in the role. Through a pooler in transaction mode a connection
 * keeps no role: there the login's own rights count, so an administrator's login or a schema's owner is refused.
 */
export async function checkLogin({ url, ...use }: LoginUse): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3_000, query_timeout: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<LoginStanding>(loginQuery, [use.role, use.schema]);
    const sentence = rows[0] === undefined ? undefined : loginFault(rows[0], use);
    if (sentence !== undefined) throw new MissingRights([sentence]);
  } catch (error) {
    throw asMissingRights(error, url);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function loginFault(found: LoginStanding, { role, schema, isPooled }: Omit<LoginUse, 'url'>): string | undefined {
  const { login } = found;
  if (!found.exists) return `The role ${role} is missing: run the migrations, which make it.`;
  if (!isPooled) {
    return found.maySet
      ? undefined
      : `The login ${login} may not take on the role ${role}: run \`grant ${role} to ${quoteIdentifier(login)};\` as an administrator.`;
  }
  if (found.isSuperuser || found.owns) {
    const why = found.isSuperuser ? 'a superuser' : `the owner of the schema ${schema}`;
    return `Behind a pooler the login ${login} acts with its own rights and is ${why}: name a login in DATABASE_URL that has the role ${role} and owns nothing.`;
  }
  return found.inherits
    ? undefined
    : `Behind a pooler the login ${login} acts with its own rights and has not those of ${role}: run \`${grantByInheritance(role, login)}\` as an administrator.`;
}

const refusals: Readonly<Record<string, string>> = {
  '28P01': 'with this password',
  '28000': 'from here, by the rules of pg_hba.conf',
  '3D000': 'for it does not exist',
  '42501': 'without CONNECT on it',
};

/** The error as a `MissingRights` where the server refused the login itself; else the error. Names no password. */
export function asMissingRights(error: unknown, url: string): unknown {
  const code = errorCode(error) ?? (error instanceof Error ? errorCode(error.cause) : undefined);
  const why = code === undefined ? undefined : refusals[code];
  if (why === undefined || !URL.canParse(url)) return error;
  const { username, host, pathname } = new URL(url);
  const database = `${host}${decodeURIComponent(pathname)}`;
  return new MissingRights([`The login ${decodeURIComponent(username)} is not let into ${database} ${why}.`]);
}
