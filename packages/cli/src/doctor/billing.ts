import { parseJwks } from '@keyfare/core/receipt';
import { SqlPool } from '@keyfare/db/sql';
import { openChain } from '@keyfare/evm/chain';
import {
  ConfigurationError,
  gateEnvironment,
  schema as gateSchema,
  isTestnet,
  parseEnvironment,
  withSecretFiles,
} from '@keyfare/gate/deployment';
import { isBillingHere, runBillingMigrations } from '../billing-program.js';
import { codeOf } from '../http/refusal.js';
import {
  checkDatabaseClock,
  checkLogins,
  checkMigrations,
  checkOwner,
  type Database,
  openDatabase,
  skipAll,
} from './database.js';
import { type Finding, fail, ok, skipped, warn, wordsOf } from './finding.js';
import { checkHead, checkNode } from './networks.js';
import { checkRights, feedRights } from './rights.js';
import { type Patient, settingFaults, toTheEnd } from './run.js';
import { fetchText } from './service.js';

const { DATABASE_URL: postgresUrl, RPC_URL: httpUrl } = gateEnvironment.shape;
/** Of billing's environment, what it shares with the gate or has to reach. */
const environment = gateEnvironment
  .pick({ PAY_TO: true, NETWORK: true, DATABASE_URL: true, DIRECT_DATABASE_URL: true, RPC_URL: true })
  .extend({
    FEED_DATABASE_URL: postgresUrl.optional(),
    API_JWKS_URL: httpUrl,
    RPC_TIMEOUT_MS: gateEnvironment.shape.RPC_TIMEOUT_MS,
  });
type Settings = ReturnType<typeof parse>;
const feedRole = 'keyfare_billing_reader';

/** Looks at what billing needs: its books, the API's log, the API's keys, the node. */
export async function* examineBilling({ env, now, skip }: Patient): AsyncGenerator<Finding> {
  let settings: Settings;
  try {
    settings = parse(env);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    yield* settingFaults(error);
    yield skipped('everything else', 'the settings come first');
    return;
  }
  yield ok('settings', 'those that were looked at are good');
  const groups = {
    database: () => examineDatabases(settings, { env, now }),
    network: () => examineNode(settings, now),
    service: () => examineKeys(settings),
  };
  for (const [group, examine] of Object.entries(groups)) {
    if (skip.includes(group)) yield skipped(group, 'as asked');
    else yield* toTheEnd(group, examine());
  }
}

function parse(env: NodeJS.ProcessEnv) {
  const names = ['DATABASE_URL', 'DIRECT_DATABASE_URL', 'FEED_DATABASE_URL', 'RPC_URL'];
  return parseEnvironment(environment, withSecretFiles(env, names));
}

async function* examineDatabases(
  settings: Settings,
  { env, now }: Pick<Patient, 'env' | 'now'>,
): AsyncGenerator<Finding> {
  const isPooled = settings.DIRECT_DATABASE_URL !== undefined;
  const books: Database = {
    name: 'database',
    setting: 'DATABASE_URL',
    url: settings.DATABASE_URL,
    role: 'keyfare_billing',
    schema: 'billing',
    isPooled,
  };
  const logins = await checkLogins(books);
  yield* logins;
  yield isBillingHere()
    ? await checkMigrations('database.migrations', {
        pending: async () => (await runBillingMigrations(env, { isTrial: true })).names,
        command: 'keyfare migrate --billing',
      })
    : skipped('database.migrations', "billing's program is not installed here");
  if (logins.some(({ status }) => status === 'fail')) {
    yield* skipAll(
      ['database.owner', 'database.clock'],
      'the database cannot be asked as the running billing would ask it',
    );
  } else {
    const sql = openDatabase(books);
    try {
      yield await checkOwner(sql, books);
      yield await checkDatabaseClock(sql, books, now);
    } finally {
      await sql.close();
    }
  }
  yield* examineFeed(settings);
}

async function* examineFeed(settings: Settings): AsyncGenerator<Finding> {
  const feed: Database = {
    name: 'feed',
    setting: 'FEED_DATABASE_URL',
    url: settings.FEED_DATABASE_URL ?? settings.DATABASE_URL,
    role: feedRole,
    schema: gateSchema,
    isPooled: false,
  };
  const logins = await checkLogins(feed);
  yield* logins;
  if (logins.some(({ status }) => status === 'fail')) {
    yield skipped('feed.rights', 'the log cannot be asked');
    return;
  }
  const sql = openDatabase(feed);
  try {
    yield* await checkRights(sql, { name: 'feed.rights', schema: gateSchema, role: feedRole, rights: feedRights });
    yield await checkReadsOnly(sql);
  } finally {
    await sql.close();
  }
}

/** Whoever takes billing's login must not be able to write the log that billing judges. */
async function checkReadsOnly(sql: SqlPool): Promise<Finding> {
  const rows = await sql.query<{ name: string }>({
    text: `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relkind in ('r', 'p', 'v')
        and (has_any_column_privilege(c.oid, 'insert') or has_any_column_privilege(c.oid, 'update')
          or has_table_privilege(c.oid, 'delete')) order by 1`,
    values: [gateSchema],
  });
  const [first] = rows;
  return first === undefined
    ? ok('feed.reads-only', `${feedRole} may write nothing of the API's`)
    : warn(
        'feed.reads-only',
        `${feedRole} may write ${rows.length} tables of the API's, such as ${gateSchema}.${first.name}`,
        `run \`revoke insert, update, delete on all tables in schema ${gateSchema} from ${feedRole};\` as the owner of the schema`,
      );
}

async function* examineNode(settings: Settings, now: () => Date): AsyncGenerator<Finding> {
  const { NETWORK: network, RPC_URL: rpcUrl, RPC_TIMEOUT_MS: timeoutMs } = settings;
  const name = `network.${network.name}`;
  // Billing asks for blocks and logs, a few calls at a time.
  const served = yield* checkNode(
    { name, setting: 'RPC_URL', rpcUrl, network },
    { rpcTimeoutMs: timeoutMs, rpcBatchCalls: 20 },
  );
  if (!served) return;
  const chain = openChain({ rpcUrl, chainId: network.chainId, timeoutMs });
  try {
    yield await checkHead(name, { chain, now, isPlay: isTestnet(network) });
  } catch (error) {
    yield fail(`${name}.node`, wordsOf(error), 'name another node in RPC_URL');
  } finally {
    chain.close();
  }
}

async function* examineKeys({ API_JWKS_URL: text }: Settings): AsyncGenerator<Finding> {
  const url = new URL(text);
  const remedy = "start the API, or set API_JWKS_URL to the API's /.well-known/jwks.json";
  try {
    const { status, body } = await fetchText(url);
    const { keys } = parseJwks(JSON.parse(status === 200 ? body : 'null'));
    yield keys.length > 0
      ? ok('service.keys', `the API publishes ${keys.length} keys that sign receipts`)
      : fail('service.keys', 'the API publishes no key that signs receipts', remedy);
  } catch (error) {
    yield fail('service.keys', `${url.origin}${url.pathname} gives no key set (${codeOf(error)})`, remedy);
  }
}
