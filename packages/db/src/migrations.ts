import type { DataSource } from 'typeorm';

/** One lock for all that migrate this cluster's Keyfare schemas: two replicas that start together take turns. */
const migrationLock = 0x6b66_6d67;

/**
 * Brings the data source's schema up to date, and answers the names of the migrations it ran. Safe to call from every
 * replica at once. The data source must be connected as a login that may create the schema and its roles.
 */
export async function migrate(dataSource: DataSource, schema: string): Promise<readonly string[]> {
  const lock = dataSource.createQueryRunner();
  await lock.connect();
  try {
    await lock.query('select pg_advisory_lock($1)', [migrationLock]);
    await lock.query(`create schema if not exists ${dataSource.driver.escape(schema)}`);
    const ran = await dataSource.runMigrations({ transaction: 'each' });
    return ran.map((migration) => migration.name);
  } finally {
    await lock.query('select pg_advisory_unlock($1)', [migrationLock]).catch(() => undefined);
    await lock.release();
  }
}

/** The statements that TypeORM's schema builder would still run: none, when entities and migrations agree. */
export async function schemaDrift(dataSource: DataSource): Promise<readonly string[]> {
  const plan = await dataSource.driver.createSchemaBuilder().log();
  return plan.upQueries.map((query) => query.query);
}
