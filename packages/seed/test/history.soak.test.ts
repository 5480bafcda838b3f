import { adminQuery } from '@keyfare/devstack/postgres';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, expect, it } from '@keyfare/jest-preset/globals';
import { chainBegin, type HistoryOptions, type Manifest, makeHistory } from '../src/history.js';

const options: HistoryOptions = {
  accounts: 4,
  calls: 150,
  months: 2,
  seed: 'twice',
  until: '2026-11',
  paidPercent: 10,
};
const undo: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const step of undo) await step();
}, 30_000);

interface Made {
  readonly manifest: Manifest;
  readonly url: string;
}

async function make(changes: Partial<HistoryOptions> = {}): Promise<Made> {
  const [database, chain] = await Promise.all([
    createTestDatabase(),
    startTestChain({ genesisTime: chainBegin(options, new Date()) }),
  ]);
  undo.push(async () => {
    await chain.kill();
    await database.drop();
  });
  const manifest = await makeHistory({ databaseUrl: database.url, rpcUrl: chain.rpcUrl }, { ...options, ...changes });
  return { manifest, url: database.url };
}

/** Calls and terms, as they were dated, by the names of accounts and without the ids that are random. */
async function whatHappened({ manifest, url }: Made): Promise<readonly unknown[]> {
  const rows = await adminQuery<{ principal: string; account: string | null }>(
    url,
    `select e.kind, e.rail, e.sku, e.units, e.occurred_at, a.name as account,
        case when a.id is null then e.principal end as principal,
        convert_from(e.payload, 'UTF8')::jsonb - array['id', 'account', 'principal', 'plan', 'call', 'transaction'] as said
      from keyfare.entry e left join keyfare.account a on a.id = e.principal
      where e.payload is not null and e.kind in ('call', 'terms')
      order by e.occurred_at, e.kind, e.rail, e.sku, a.name, said`,
  );
  const named = new Set(manifest.accounts.map(({ name }) => name));
  return rows.filter(({ account }) => account === null || named.has(account));
}

it('the same seed makes the same calls, of the same accounts and wallets, at the same times for the same amounts', async () => {
  const [first, second] = [await make({ breaks: false }), await make({ breaks: false })];
  const happened = await whatHappened(first);
  expect(happened.length).toBeGreaterThan(140);
  expect(await whatHappened(second)).toEqual(happened);
  expect(second.manifest.entries).toEqual(first.manifest.entries);
  expect(second.manifest.breaks).toEqual(first.manifest.breaks);
}, 90_000);

it('a history is on its own clock, and leaves the schema of the database as the migrations made it', async () => {
  const { manifest, url } = await make();
  const dates = await adminQuery(
    url,
    `select bool_and(occurred_at >= $1 and occurred_at < $2) as within,
        bool_and((convert_from(payload, 'UTF8')::jsonb ->> 'issuedAt')::bigint < extract(epoch from $2::timestamptz)) as signed
      from keyfare.entry where occurred_at is not null`,
    [manifest.from, manifest.until],
  );
  expect(dates).toEqual([{ within: true, signed: true }]);
  const terms = await adminQuery(url, 'select bool_and(effective_at < $1) as within from keyfare.account', [
    manifest.until,
  ]);
  expect(terms).toEqual([{ within: true }]);
  const months = await adminQuery<{ name: string }>(
    url,
    `select distinct tableoid::regclass::text as name from keyfare.entry order by 1`,
  );
  expect(months.map(({ name }) => name)).toEqual(['keyfare.entry_2026_09', 'keyfare.entry_2026_10']);
  const schemas = await adminQuery(url, `select 1 from pg_namespace where nspname = 'keyfare_seed'`);
  expect(schemas).toEqual([]);
  const left = await adminQuery(
    url,
    'select (select count(*) from keyfare.lease) + (select count(*) from keyfare.unplaced) as n',
  );
  expect(left).toEqual([{ n: '0' }]);
}, 60_000);

it('a database with a log, and a chain that is past the begin, are refused', async () => {
  const { url } = await make({ breaks: false, calls: 50 });
  const chain = await startTestChain({ genesisTime: chainBegin(options, new Date()) });
  undo.push(async () => chain.kill());
  await expect(makeHistory({ databaseUrl: url, rpcUrl: chain.rpcUrl }, options)).rejects.toThrow('has a log already');
  const late = await startTestChain();
  undo.push(async () => late.kill());
  const database = await createTestDatabase();
  undo.push(async () => database.drop());
  await expect(makeHistory({ databaseUrl: database.url, rpcUrl: late.rpcUrl }, options)).rejects.toThrow('is past');
}, 60_000);
