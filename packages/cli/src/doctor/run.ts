import {
  ConfigurationError,
  type GateConfig,
  gateRole,
  pendingGateMigrations,
  readGateConfig,
  schema,
  withSecretFiles,
} from '@keyfare/gate/deployment';
import {
  checkDatabaseClock,
  checkListening,
  checkLogins,
  checkMigrations,
  checkOwner,
  checkPartitions,
  type Database,
  openDatabase,
  skipAll,
} from './database.js';
import { type Finding, fail, ok, skipped, wordsOf } from './finding.js';
import { checkEnvironment, checkPeppers, checkReceiptKey } from './keys.js';
import { checkNetwork } from './networks.js';
import { checkRights, gateRights } from './rights.js';
import { checkService } from './service.js';

/** What the doctor looks at. */
export interface Patient {
  /** The environment of the API. */
  readonly env: NodeJS.ProcessEnv;
  /** This machine's clock. */
  readonly now: () => Date;
  /** Names of findings, or of their groups, that are not looked at. */
  readonly skip: readonly string[];
}

/** Looks at everything that the API needs, one thing after the other. It changes nothing. */
export async function* examineApi({ env, now, skip }: Patient): AsyncGenerator<Finding> {
  let config: GateConfig;
  try {
    config = readGateConfig({}, env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield* settingFaults(error);
    yield skipped('everything else', 'the settings come first');
    return;
  }
  yield ok('settings', `all good${config.isProduction ? ', as for production' : ''}`);
  const groups = {
    database: () => examineDatabase(config, { env, now }),
    network: () => examineNetworks(config, now),
    service: () => checkService(config),
  };
  for (const [group, examine] of Object.entries(groups)) {
    if (skip.includes(group)) yield skipped(group, 'as asked');
    else yield* toTheEnd(group, examine());
  }
}

/** The findings of a group; what breaks off, such as a connection that is lost meanwhile, is one more. */
export async function* toTheEnd(group: string, findings: AsyncGenerator<Finding>): AsyncGenerator<Finding> {
  try {
    yield* findings;
  } catch (error) {
    yield fail(group, `it could not be looked at to the end: ${wordsOf(error)}`, 'run the doctor again');
  }
}

/** Each fault of the settings. */
export function* settingFaults(error: ConfigurationError): Generator<Finding> {
  for (const fault of error.faults) {
    yield fail('settings', fault, 'set it in the environment of the program; .env.example explains each setting');
  }
}

async function* examineDatabase(
  config: GateConfig,
  { env, now }: Pick<Patient, 'env' | 'now'>,
): AsyncGenerator<Finding> {
  const { url, directUrl, migrationUrl, isPooled } = databaseUrls(env);
  const database: Database = { name: 'database', setting: 'DATABASE_URL', url, role: gateRole, schema, isPooled };
  const logins = await checkLogins(database);
  yield* logins;
  const migrations = await checkMigrations('database.migrations', {
    pending: () => pendingGateMigrations(migrationUrl),
    command: 'keyfare migrate',
  });
  yield migrations;
  const rest = ['owner', 'rights', 'listen', 'clock', 'partitions'].map((name) => `database.${name}`);
  if (logins.some(({ status }) => status === 'fail')) {
    yield* skipAll([...rest, 'keys'], 'the database cannot be asked as the running API would ask it');
    return;
  }
  if (migrations.status === 'fail') {
    yield* skipAll([...rest, 'keys'], 'the migrations come first');
    return;
  }
  const sql = openDatabase(database);
  try {
    yield await checkOwner(sql, database);
    const rights = await checkRights(sql, { name: 'database.rights', schema, role: gateRole, rights: gateRights });
    yield* rights;
    yield await checkListening(sql, directUrl, database);
    yield await checkDatabaseClock(sql, database, now);
    yield await checkPartitions(sql, database);
    if (rights.some(({ status }) => status === 'fail')) {
      yield skipped('keys', 'the rights come first');
      return;
    }
    yield* await checkPeppers(sql, config);
    yield await checkEnvironment(sql, config);
    yield* await checkReceiptKey(sql, config);
  } finally {
    await sql.close();
  }
}

/** The URLs of an environment that was parsed: of the calls, of what needs a session of its own, and of the owner. */
function databaseUrls(env: NodeJS.ProcessEnv) {
  const given = withSecretFiles(env);
  const { DATABASE_URL: url = '', DIRECT_DATABASE_URL: direct, MIGRATION_DATABASE_URL: owner } = given;
  // Empty ones are not set.
  const directUrl = direct || url;
  return { url, directUrl, migrationUrl: owner || directUrl, isPooled: directUrl !== url };
}

async function* examineNetworks(config: GateConfig, now: () => Date): AsyncGenerator<Finding> {
  for (const settings of config.networks) yield* checkNetwork(settings, config, now);
}
