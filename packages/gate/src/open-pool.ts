import { hostPoolFaults } from '@keyfare/db/host-pool';
import { SqlPool } from '@keyfare/db/sql';
import { ConfigurationError, type GateConfig } from './config.js';
import { migrateGate, schemaFaults } from './database.js';
import { gateRole } from './schema.js';

/**
 * The pool of calls. Before it is used, the schema is brought up to date, or refused where the start may not do that; and the
 * pool of a host is refused where it could not run our statements, or would read their answers otherwise.
 */
export async function openPool({ database, inOptionNames, ownConnections, migrations }: GateConfig): Promise<SqlPool> {
  if (migrations === null) refuse((await faultsAt(ownConnections)).map(inOptionNames));
  else await migrateGate(migrations);
  if ('url' in database) return new SqlPool({ ...database, applicationName: 'keyfare', role: gateRole });
  refuse((await hostPoolFaults(database.pool, gateRole)).map((fault) => `pool ${fault}`));
  return new SqlPool({ ...database, applicationName: 'keyfare' });
}

/** Without the gate's role: a schema that is not there yet has none. */
async function faultsAt(place: GateConfig['ownConnections']): Promise<readonly string[]> {
  const pool = new SqlPool({ ...place, applicationName: 'keyfare-migrations', poolSize: 1 });
  try {
    return await schemaFaults(pool);
  } finally {
    await pool.close();
  }
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new ConfigurationError(faults);
}
