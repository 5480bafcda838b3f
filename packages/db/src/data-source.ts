import { DataSource, type EntitySchema, type MigrationInterface } from 'typeorm';
import { connectionOf } from './connection.js';
import type { Place } from './host-pool.js';
import { SnakeNamingStrategy } from './naming.js';
import { DatabaseUnavailable, isConnectionLost } from './sql.js';

/**
 * What a data source needs to know; it has connections of its own, also where `pool` says how they are made. Entities
 * and migrations are listed by name, never found by a glob.
 */
export type DataSourceSettings = Place & {
  /** Every table of the entities lives in this schema, and so does the table of migrations. */
  readonly schema: string;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for entity classes
  readonly entities: readonly (Function | EntitySchema)[];
  readonly migrations: readonly (new () => MigrationInterface)[];
  /** What the server lists its sessions under. */
  readonly applicationName: string;
  /** A role that each connection takes on at its start, with fewer rights than the login. */
  readonly role?: string;
  readonly poolSize?: number;
  /** See `SqlSettings`: then no role is taken on. */
  readonly isPooled?: boolean;
};

/** A migration may rewrite a large table, and is waited for. */
const migrationTimeoutMs = 3_600_000;

/** A TypeORM data source with our naming, no `synchronize`, and bounded waits. It does not connect by itself. */
export function createDataSource(settings: DataSourceSettings): DataSource {
  const dataSource = new DataSource({
    type: 'postgres',
    ...('url' in settings ? { url: settings.url } : {}),
    schema: settings.schema,
    entities: [...settings.entities],
    migrations: [...settings.migrations],
    migrationsTableName: 'migration',
    migrationsRun: false,
    synchronize: false,
    namingStrategy: new SnakeNamingStrategy(),
    applicationName: settings.applicationName,
    poolSize: settings.poolSize ?? 4,
    connectTimeoutMS: 3_000,
    installExtensions: false,
    poolErrorHandler: () => undefined,
    extra: {
      ...('url' in settings ? {} : connectionOf(settings)),
      connectionTimeoutMillis: 3_000,
      query_timeout: settings.migrations.length > 0 ? migrationTimeoutMs : 15_000,
      ...(settings.role === undefined || settings.isPooled === true ? {} : { options: `-c role=${settings.role}` }),
    },
  });
  return sayingUnavailable(dataSource);
}

/** Every statement of TypeORM goes through a query runner: there a lost connection gets our name for it. */
function sayingUnavailable(dataSource: DataSource): DataSource {
  const create = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => {
    const runner = create(mode);
    const connect = runner.connect.bind(runner) as () => Promise<unknown>;
    // Whatever keeps a connection from being made, the database is not to be had: nothing was sent.
    const connected = async (): Promise<unknown> => {
      try {
        return await connect();
      } catch (error) {
        throw new DatabaseUnavailable(error, { inDoubt: false });
      }
    };
    const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
    const translated = async (...args: unknown[]): Promise<unknown> => {
      try {
        return await query(...args);
      } catch (error) {
        throw isConnectionLost(error) ? new DatabaseUnavailable(error, { inDoubt: true }) : error;
      }
    };
    return Object.assign(runner, { connect: connected, query: translated });
  };
  return dataSource;
}
