import type { DataSource } from 'typeorm';
import { withAdvisoryLock } from './node-local/advisory-lock.js';

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

/** The statements that TypeORM's schema builder would still run: none, when entities and migrations agree. */
export async function schemaDrift(dataSource: DataSource): Promise<readonly string[]> {
  const plan = await dataSource.driver.createSchemaBuilder().log();
  return plan.upQueries.map((query) => query.query);
}
