import { randomBytes } from 'node:crypto';
import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { adminQuery } from '@keyfare/devstack/postgres';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { type Chain, openChain } from '@keyfare/evm/chain';
import { type FixedClock, fixedClock } from '@keyfare/fixtures/clock';
import { migrateGate } from '@keyfare/gate/database';
import { Logger } from '@nestjs/common';
import { Wallets } from '../src/chain/wallets.js';
import { type BillingConfig, readBillingConfig } from '../src/config.js';
import { migrateBilling } from '../src/database.js';
import { EntryStore } from '../src/intake/entry-store.js';
import { type LogFeed, sqlFeed } from '../src/intake/feed.js';
import { IntakeService } from '../src/intake/intake.service.js';
import { KeyStore } from '../src/intake/key.service.js';
import { LedgerService } from '../src/ledger/ledger.service.js';
import { ChainJob } from '../src/pipeline/chain.job.js';
import { IntakeJob } from '../src/pipeline/intake.job.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { Resolutions } from '../src/pipeline/resolutions.js';
import { RatingService } from '../src/rating/rating.service.js';
import { BreakService } from '../src/reconcile/break.service.js';
import { ReconcileService } from '../src/reconcile/reconcile.service.js';
import { RunStore } from '../src/reconcile/run-store.js';
import { billingRole, feedReaderRole } from '../src/schema.js';
import { SignaturePool } from '../src/signature-pool.js';
import { Standstills } from '../src/standstills.js';
import { BillingMetrics } from '../src/status/metrics.js';
import { type KeyServer, serveKeys } from './key-server.js';
import { LogWriter } from './log-writer.js';

/** A database with the schemas of gate and billing, the API's keys over HTTP, and a hand that writes the log. */
export interface World {
  readonly database: TestDatabase;
  readonly log: LogWriter;
  readonly keys: KeyServer;
  readonly clock: FixedClock;
  readonly env: Readonly<Record<string, string>>;
  /** As the superuser, past every grant. */
  readonly sql: SqlPool;
  rows<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  close(): Promise<void>;
}

// What the jobs say of reorganizations and of a chain that is away belongs to the tests that make them.
Logger.overrideLogger(false);

const migrateAll = async (url: string): Promise<void> => {
  await migrateGate(url);
  await migrateBilling(url);
  // No test's queues get a job because it happens to run at half past midnight: no process finds the calendar due.
  await adminQuery(url, `update billing_jobs.version set cron_on = now() + interval '10 years'`);
};

export async function openWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  const database = await createTestDatabase({ template: { name: 'billing', migrate: migrateAll } });
  await awayFromMidnight();
  return openWorldOn(database, { env, clock: fixedClock(new Date().toISOString()) });
}

/** A world's clock stands, and its chain's goes on: what a test does within a minute is of one day for both. */
async function awayFromMidnight(): Promise<void> {
  const dayMs = 86_400_000;
  const leftMs = dayMs - (Date.now() % dayMs);
  if (leftMs < 60_000) await new Promise((wake) => setTimeout(wake, leftMs));
}

/** The same on a database that has its schemas and data already. */
export async function openWorldOn(
  database: TestDatabase,
  { env, clock }: { env: Readonly<Record<string, string>>; clock: FixedClock },
): Promise<World> {
  const log = new LogWriter(database.url, clock);
  const keys = await serveKeys(log.keys);
  const sql = new SqlPool({ ...patience, url: database.url, applicationName: 'test', poolSize: 2 });
  return {
    database,
    log,
    keys,
    clock,
    sql,
    env: {
      ...database.env,
      API_JWKS_URL: keys.url,
      RPC_URL: 'http://127.0.0.1:9',
      NETWORK: 'base-sepolia',
      // Tests move a few units at a time.
      DUST_BELOW: '0',
      PAY_TO: `0x${randomBytes(20).toString('hex')}`,
      ...env,
    },
    rows: async (text, values = []) => sql.query({ text, values }),
    close: async () => {
      await Promise.all([log.close(), keys.close(), sql.close()]);
      await database.drop();
    },
  };
}

/** One process of billing without its loops: a test says when a step is taken. */
export interface Books {
  readonly config: BillingConfig;
  readonly sql: SqlPool;
  readonly intakeJob: IntakeJob;
  readonly chainJob: ChainJob;
  readonly reconcileJob: ReconcileJob;
  readonly keyStore: KeyStore;
  /** Books every entry that was committed before. */
  readAll(): Promise<void>;
  close(): Promise<void>;
}

export function openBooks(world: World, options: BooksOptions = {}): Books {
  const config = readBillingConfig({ ...world.env, ...options.env });
  const clock: Clock = options.clock ?? world.clock;
  const pool = (role: string): SqlPool =>
    new SqlPool({
      ...patience,
      url: role === feedReaderRole ? config.feedDatabaseUrl : config.databaseUrl,
      applicationName: options.applicationName ?? 'test-billing',
      role,
      poolSize: 4,
      isPooled: config.isPooled,
    });
  const sql = pool(billingRole);
  const feedSql = pool(feedReaderRole);
  const chain: Chain = openChain({ rpcUrl: config.rpcUrl, chainId: config.network.chainId, timeoutMs: 10_000 });
  const wallets = new Wallets(config, chain, clock);
  const ledger = new LedgerService();
  const keyStore = new KeyStore(config, sql, clock);
  const signatures = new SignaturePool();
  const intake = new IntakeService(config, keyStore, signatures, clock);
  const entries = new EntryStore(clock);
  const feed = options.feed?.(sqlFeed(feedSql)) ?? sqlFeed(feedSql);
  const rating = options.rating ?? new RatingService();
  const intakeJob = new IntakeJob(sql, intake, entries, rating, ledger, new BillingMetrics(), feed, clock);
  const chainJob = new ChainJob(config, sql, wallets, ledger, clock);
  const standstills = new Standstills(config, clock);
  const reconcile = new ReconcileService(config, sql, standstills, signatures, clock);
  const runs = new RunStore(config, sql, clock);
  const resolutions = new Resolutions(config, sql, new BreakService(sql, clock), new LedgerService(), clock);
  const reconcileJob = new ReconcileJob(
    config,
    sql,
    feedSql,
    intakeJob,
    chainJob,
    wallets,
    reconcile,
    resolutions,
    runs,
    clock,
  );
  return {
    config,
    sql,
    intakeJob,
    chainJob,
    reconcileJob,
    keyStore,
    readAll: async () => {
      const [now] = await world.rows<{ us: string }>(
        'select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us',
      );
      if (!(await intakeJob.catchUp({ asOf: BigInt(now?.us ?? 0), since: clock() }, 100_000)))
        throw new Error('the intake did not catch up');
    },
    close: async () => {
      chain.close();
      await Promise.all([sql.close(), feedSql.close(), signatures.close()]);
    },
  };
}

export interface BooksOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly feed?: (feed: LogFeed) => LogFeed;
  readonly rating?: RatingService;
  /** What its sessions are called in the database. */
  readonly applicationName?: string;
}

/** Everything that the books say, without what a second reading may change: ids, times of writing. */
export async function bookContent(world: World): Promise<Readonly<Record<string, unknown>>> {
  const charges =
    await world.rows(`select entry_id, rail, account, payer, sku, units, included, overage, unit_price, asset, amount, period_start
    from billing.charge order by place`);
  const journals = await world.rows(
    `select id, kind, source, occurred_at, reverses, digest from billing.journal order by id`,
  );
  const postings = await world.rows('select * from billing.ledger_line order by journal_id, line');
  const entries = await world.rows('select id, kind, fault, usage_units from billing.entry order by place');
  const totals = await world.rows('select * from billing.period_total order by account, period_start');
  const book = await world.rows('select * from billing.terms order by place');
  return { charges, journals, postings, entries, totals, book };
}

/** Balances by account, as text. */
export async function balances(world: World): Promise<Readonly<Record<string, string>>> {
  const rows = await world.rows<{ account: string; amount: string }>(
    `select account, sum(amount)::text as amount from billing.ledger_line group by account having sum(amount) <> 0 order by account`,
  );
  return Object.fromEntries(rows.map(({ account, amount }) => [account, amount]));
}
