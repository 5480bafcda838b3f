import type { LocalChain } from '@keyfare/devstack/chain';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { fixedClock } from '@keyfare/fixtures/clock';
import { migrateGate } from '@keyfare/gate/database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { chainBegin, type HistoryOptions, type Manifest, makeHistory } from '@keyfare/seed/history';
import { migrateBilling } from '../src/database.js';
import { type KeyServer, serveKeys } from './key-server.js';
import { type Books, openBooks, openWorldOn, type World } from './world.js';

const options: HistoryOptions = { accounts: 5, calls: 300, months: 2, seed: 'books', paidPercent: 10 };
let database: TestDatabase;
let chain: LocalChain;
let manifest: Manifest;
let keys: KeyServer;
let world: World;
let books: Books;

beforeAll(async () => {
  const migrate = async (url: string): Promise<void> => {
    await migrateGate(url);
    await migrateBilling(url);
  };
  [database, chain] = await Promise.all([
    createTestDatabase({ template: { name: 'billing', migrate } }),
    startTestChain({ genesisTime: chainBegin(options, new Date()) }),
  ]);
  manifest = await makeHistory({ databaseUrl: database.url, rpcUrl: chain.rpcUrl }, options);
  keys = await serveKeys(manifest.jwks.keys);
  const env = { API_JWKS_URL: keys.url, RPC_URL: chain.rpcUrl, PAY_TO: manifest.payTo };
  world = await openWorldOn(database, { env, clock: fixedClock(new Date().toISOString()) });
  // A call on credit that the history forgot is overdue a day after its end: on the first of a month that is to come.
  const overdueMs = Date.parse(manifest.until) + 48 * 3_600_000;
  books = openBooks(world, { clock: () => new Date(Math.max(Date.now(), overdueMs)) });
}, 480_000);
afterAll(async () => {
  await books.close();
  await keys.close();
  await chain.kill();
  await world.close();
}, 30_000);

interface Found {
  readonly class: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly asset: string | null;
  readonly amount: string | null;
}

it('a reconciliation finds exactly the breaks of the history: each that was planted or is due, and no other', async () => {
  await books.readAll();
  const { report } = await books.reconcileJob.run('manual');
  const found = await world.rows<Found>(
    `select class, keys, asset, amount::text as amount from billing.break where status = 'open' order by class`,
  );
  const unexplained = [...found];
  const missing = manifest.breaks.filter((expected) => {
    const at = unexplained.findIndex(
      (open) =>
        open.class === expected.class &&
        open.asset === expected.asset &&
        open.amount === expected.amount &&
        Object.entries(expected.keys).every(([name, value]) => open.keys[name] === value),
    );
    if (at >= 0) unexplained.splice(at, 1);
    return at < 0;
  });
  expect({ missing, unexplained }).toEqual({ missing: [], unexplained: [] });
  const written = Object.values(manifest.entries).reduce((sum, number) => sum + number, 0);
  const { good, bad, complete } = report.entries;
  expect({ read: good + bad, complete }).toEqual({ read: written, complete: true });
});
