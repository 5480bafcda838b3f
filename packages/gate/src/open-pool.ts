import { hostPoolFaults } from '@keyfare/db/host-pool';
import { checkLogin } from '@keyfare/db/rights';
import { SqlPool } from '@keyfare/db/sql';
import { ConfigurationError, type GateConfig } from './config.js';
import { migrateGate, schemaFaults } from './database.js';
import { gateRole, schema } from './schema.js';

/**
 * The pool of calls. Before it is used, the schema is brought up to date, or refused where the start may not do that;
 * logins are looked at; and the pool of a host is refused where it could not run our statements, or would read their
 * answers otherwise.
 */
export async function openPool(config: GateConfig): Promise<SqlPool> {
  const { database, directConnections, inOptionNames, isPooled, migrations } = config;
  if (migrations === null) refuse((await schemaFaults(directConnections)).map(inOptionNames));
  else await migrateGate(migrations);
  if (isPooled && 'url' in directConnections) {
    await checkLogin({ ...directConnections, role: gateRole, schema, isPooled: false });
  }
  if ('url' in database) {
    await checkLogin({ ...database, role: gateRole, schema, isPooled });
    return new SqlPool({ ...database, applicationName: 'keyfare', role: gateRole, isPooled });
  }
  refuse((await hostPoolFaults(database.pool, gateRole)).map((fault) => `pool ${fault}`));
  return new SqlPool({ ...database, applicationName: 'keyfare', isPooled });
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new ConfigurationError(faults);
}
