import type { DataSource } from 'typeorm';
import { withAdvisoryLock } from './node-local/advisory-lock.js';
import { MissingRights, missingRights, type SchemaNeeds } from './rights.js';

/** One lock for all that migrate this cluster's Keyfare schemas: two replicas that start together take turns. */
const migrationLock = 0x6b66_6d67;

/**
 * Brings the data source's schema up to date, and answers the names of the migrations it ran. Safe to call from every
 * replica at once. With nothing pending any login may call it that may read the schema's table of migrations; else the
 * login must own the schema or be able to create it, and the roles must exist or it must have CREATEROLE: otherwise
 * nothing is run and `MissingRights` says each.
 */
export async function migrate(
  dataSource: DataSource,
  schema: string,
  roles: readonly string[] = [],
): Promise<readonly string[]> {
  const pending = await pendingMigrations(dataSource, schema);
  if (pending.length === 0) return [];
  await requireRights(dataSource, { schema, roles, pending });
  return await withAdvisoryLock(dataSource, migrationLock, async (run) => {
    // Not `if not exists`: that asks for the right to create schemas even where there is one.
    if (!(await hasSchema(dataSource, schema))) await run(`create schema ${dataSource.driver.escape(schema)}`);
    const ran = await dataSource.runMigrations({ transaction: 'each' });
    return ran.map((migration) => migration.name);
  });
}

/**
 * The names of the data source's migrations that were not run yet, in their order. Throws `MissingRights` when the
 * login may not read which were.
 */
export async function pendingMigrations(dataSource: DataSource, schema: string): Promise<readonly string[]> {
  const names = dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);
  const [table] = await dataSource.query<{ readable: boolean; login: string }[]>(
    `select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as readable,
        current_user::text as login
      from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = 'migration'`,
    [schema],
  );
  if (table === undefined) return names;
  if (!table.readable) {
    throw new MissingRights([
      `The login ${table.login} may not read ${schema}.migration, so nothing tells whether migrations are pending: run them as the schema's owner, with MIGRATION_DATABASE_URL.`,
    ]);
  }
  const rows = await dataSource.query<{ name: string }[]>(
    `select name from ${dataSource.driver.escape(schema)}.migration`,
  );
  const ran = new Set(rows.map(({ name }) => name));
  return names.filter((name) => !ran.has(name));
}

async function requireRights(
  dataSource: DataSource,
  { pending, ...needs }: SchemaNeeds & { readonly pending: readonly string[] },
): Promise<void> {
  const sentences = await missingRights(dataSource, needs);
  if (sentences.length === 0) return;
  const [one, first] = [pending.length === 1, pending[0]];
  throw new MissingRights([
    `${one ? 'A migration' : `${String(pending.length)} migrations`} of the schema ${needs.schema} ${one ? 'is' : 'are'} pending from ${first} on, and the login of MIGRATION_DATABASE_URL (or else DATABASE_URL) may not run ${one ? 'it' : 'them'}.`,
    ...sentences,
  ]);
}

async function hasSchema(dataSource: DataSource, schema: string): Promise<boolean> {
  const found = await dataSource.query<unknown[]>('select 1 from pg_namespace where nspname = $1', [schema]);
  return found.length > 0;
}

/** The statements that TypeORM's schema builder would still run: none, when entities and migrations agree. */
export async function schemaDrift(dataSource: DataSource): Promise<readonly string[]> {
  const plan = await dataSource.driver.createSchemaBuilder().log();
  return plan.upQueries.map((query) => query.query);
}
