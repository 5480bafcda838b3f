import type { DataSource, MigrationInterface } from 'typeorm';
import { withAdvisoryLock } from './node-local/advisory-lock.js';
import { errorCode, type Sql } from './sql.js';

/** One lock for all that migrate this cluster's Keyfare schemas: two replicas that start together take turns. */
const migrationLock = 0x6b66_6d67;

/**
 * Brings the data source's schema up to date, and answers the names of the migrations it ran. Safe to call from every
 * replica at once. The data source must be connected as a login that may create the schema and its roles.
 */
export async function migrate(dataSource: DataSource, schema: string): Promise<readonly string[]> {
  return await withAdvisoryLock(dataSource, migrationLock, async (run) => {
    await run(`create schema if not exists ${dataSource.driver.escape(schema)}`);
    const ran = await dataSource.runMigrations({ transaction: 'each' });
    return ran.map((migration) => migration.name);
  });
}

/** As PostgreSQL has it when a table, its schema or the right to read it is not there. Appendix A. */
const absent: ReadonlySet<string | undefined> = new Set(['42P01', '3F000', '42501']);

interface Expected {
  readonly schema: string;
  readonly migrations: readonly (new () => MigrationInterface)[];
}

/** The names of the migrations that did not run yet. All of them where the list of those that did cannot be read. */
export async function pendingMigrations(sql: Sql, { schema, migrations }: Expected): Promise<readonly string[]> {
  const rows = await sql
    .query<{ name: string }>({ text: `select name from "${schema}".migration` })
    .catch((error: unknown) => {
      if (absent.has(errorCode(error))) return [];
      throw error;
    });
  const ran = new Set(rows.map(({ name }) => name));
  return migrations.map(({ name }) => name).filter((name) => !ran.has(name));
}

/** The statements that TypeORM's schema builder would still run: none, when entities and migrations agree. */
export async function schemaDrift(dataSource: DataSource): Promise<readonly string[]> {
  const plan = await dataSource.driver.createSchemaBuilder().log();
  return plan.upQueries.map((query) => query.query);
}
