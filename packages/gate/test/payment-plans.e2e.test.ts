import { randomBytes, randomUUID } from 'node:crypto';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { newExchangeId } from '../src/exchange/exchange.js';
import { postDeferredCalls, servedCallRows } from '../src/exchange/served.sql.js';
import type { PaidCall, PaymentHold } from '../src/payment/call.js';
import {
  adoptPayments,
  claimPayments,
  claimRows,
  releaseAbandonedClaims,
  releaseClaims,
  selectUnserved,
} from '../src/payment/claim.sql.js';
import { recountTotals } from '../src/payment/exposure.sql.js';
import {
  finalizePayments,
  reopenPayments,
  selectDeferred,
  selectWaiting,
  selectWaitingByPayer,
} from '../src/payment/ledger.sql.js';
import { rows } from './requests.js';

let database: TestDatabase;
let sql: SqlPool;
const me = randomUUID();
const network = 'eip155:84532';

/** Payments of a state, `size` of them, of payers and nonces that nobody else has. */
const insert = `
  insert into keyfare.payment (network, asset, payer, nonce, exchange_id, replica_id, fingerprint, pay_to, amount, valid_after,
    valid_before, signature, claimed_at, flow, state, call, served_at, wallet, wallet_nonce, unused_at_block, transaction)
  select '${network}', '0xa', md5(n::text), $1 || $2 || n, gen_random_uuid(), $3, sha256(n::text::bytea), '0xb', 1, 0, 1900000000,
    '\\x00', now(), $2, $1, case when $2 = 'upfront' then null else '{}'::jsonb end, now(),
    case when $1 in ('claimed', 'served') then null else '0xc' end,
    case when $1 in ('claimed', 'served') then null else n end, 1,
    case when $1 in ('settled', 'final') then '0xd' end
  from generate_series(1, $4::integer) n`;

beforeAll(async () => {
  database = await createTestDatabase({
    template: { name: 'gate', migrate: async (url) => void (await migrateGate(url)) },
  });
  sql = new SqlPool({ ...patience, url: database.url, applicationName: 'test', poolSize: 1 });
  for (const [state, flow, owner, size] of [
    ['final', 'deferred', randomUUID(), 200_000],
    ['claimed', 'deferred', me, 20],
    ['served', 'deferred', me, 500],
    ['settling', 'deferred', me, 64],
    ['settled', 'deferred', me, 64],
    ['settled', 'upfront', me, 5],
  ] as const) {
    await sql.query({ text: insert, values: [state, flow, owner, size] });
  }
  await sql.query({ text: `insert into keyfare.open_total values ('${network}', '0xa', 648)` });
  await sql.query({ text: 'vacuum analyze keyfare.payment' });
}, 120_000);
afterAll(async () => {
  await sql.close();
  await database.drop();
});

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

function flatten(plan: Plan): readonly Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(flatten)];
}

/** How often a payment was updated by now, and how often so that no index was written. */
async function updates(): Promise<{ readonly all: number; readonly hot: number }> {
  await sql.query({ text: 'select pg_stat_force_next_flush()' });
  const [row] = await sql.query<{ all: number; hot: number }>({
    text: `select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables where relid = 'keyfare.payment'::regclass`,
  });
  if (row === undefined) throw new Error('no statistics');
  return row;
}

const holdOf = (index: number): PaymentHold => ({
  rail: 'x402',
  flow: 'deferred',
  sku: 'later',
  exchangeId: newExchangeId(new Date()),
  network,
  asset: '0x036cbd53842c5426634e7929541ec2318f3dcf7e',
  payer: `0x${index.toString(16).padStart(40, '0')}`,
  nonce: `0x${index.toString(16).padStart(64, '0')}`,
  amount: 1_000n,
  payTo: `0x${'b'.repeat(40)}`,
  validAfter: 0n,
  validBefore: 1_900_000_000n,
  signature: `0x${'c'.repeat(130)}`,
  accountId: null,
  keyId: null,
  fingerprint: randomBytes(32),
  claimedAt: new Date(),
  unusedAtBlock: 0n,
  x402Version: 2,
  isProvenByCode: false,
  offers: [],
});

const call: PaidCall = {
  x402Version: 2,
  sku: 'later',
  units: '1',
  method: 'GET',
  resourceUrl: 'https://api.test/v1/later',
  status: 200,
  responseDigest: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  occurredAt: '2026-11-26T00:00:00Z',
  periodStart: '2026-11-01T00:00:00Z',
};

const usage = { keyId: null, sku: 'later', units: 1n, periodStart: new Date(), occurredAt: new Date() };

const document = (id: string) => ({
  id,
  kid: 'kid',
  payload: Buffer.from('{}'),
  signature: randomBytes(64),
  digest: randomBytes(32),
});

/** The nodes of the plan that a prepared statement has for any values. */
async function planOf(text: string): Promise<readonly Plan[]> {
  const [row] = await sql.query<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>({
    text: `explain (generic_plan, format json) ${text}`,
  });
  return flatten(row?.['QUERY PLAN'][0]?.Plan ?? { 'Node Type': 'none' });
}

const readers = [
  ['release what dead processes claimed', releaseAbandonedClaims, 'payment_open'],
  ['take over what dead processes were settling', adoptPayments, 'payment_open'],
  ['find what moved and was not served', selectUnserved, 'payment_unserved'],
  ['count what is open', recountTotals, 'payment_open'],
  ['see whether something waits', selectWaiting, 'payment_open'],
  ['see whose payments wait', selectWaitingByPayer, 'payment_open'],
  ['take what waits', selectDeferred, 'payment_open'],
  ['make payments final', finalizePayments, 'payment_exchange'],
  ['reopen what was final', reopenPayments, 'payment_nonce'],
] as const;

it.each(readers)(
  'with 200,000 final payments in the table, a sweep or a collector reads none of them to %s',
  async (_what, text, index) => {
    const nodes = await planOf(text);
    const scans = nodes.filter((node) => node['Relation Name'] === 'payment' && node['Node Type'].endsWith('Scan'));
    expect(scans.map((node) => node['Node Type'])).not.toContain('Seq Scan');
    expect(nodes.map((node) => node['Index Name'])).toContain(index);
  },
);

it('the statements find what they found: each state once, by whose it is', async () => {
  const found = async (text: string, values: readonly unknown[]): Promise<number> =>
    (await sql.query({ text, values })).length;
  expect(await found(selectUnserved, [me, new Date(Date.now() + 60_000)])).toBe(5);
  expect(await found(selectDeferred, [network, [], null, 1_000])).toBe(500);
  // Nobody of theirs lives: claims are given up, and all under way is another process's, but for what has no call.
  const other = randomUUID();
  expect(await found(adoptPayments, [other, [me]])).toBe(128);
  await sql.query({ text: releaseAbandonedClaims, values: [[me], other, new Date()] });
  const left = `select count(*)::int as claimed from keyfare.payment where state = 'claimed'`;
  expect(await rows(database.url, left)).toEqual([{ claimed: 0 }]);
});

it('serving a deferred call writes no entry in the indexes of payments, as a rule', async () => {
  const holds = Array.from({ length: 200 }, (_, index) => holdOf(index));
  const served = holds.map(({ exchangeId: id, payer }) => ({
    ...document(id),
    ...usage,
    id,
    payer,
    accountId: null,
    call,
    answer: null,
    unusedAtBlock: 1n,
    issuedAt: new Date(),
  }));
  const before = await updates();
  for (let from = 0; from < holds.length; from += 8) {
    await sql.query({ text: claimPayments, values: [...claimRows.values(holds.slice(from, from + 8)), me] });
    const values = [...servedCallRows.values(served.slice(from, from + 8)), me];
    expect(await sql.query({ text: postDeferredCalls, values })).toHaveLength(8);
  }
  const after = await updates();
  expect(after.all - before.all).toBe(200);
  // A row grows by its call: where more rows share a page than have room in it, some move.
  expect(after.hot - before.hot).toBeGreaterThan(100);
});

it('what ends takes its payers in the order in which claims take them, whatever order they are stored in', async () => {
  const holds = Array.from({ length: 100 }, (_, index) => holdOf(1_000 + ((index * 37 + 50) % 100)));
  for (const hold of holds) await sql.query({ text: claimPayments, values: [...claimRows.values([hold]), me] });
  const payers = holds.map(({ payer }) => payer).toSorted();
  const lock = `select payer from keyfare.payer_exposure where payer = any($1::text[]) for update skip locked`;
  const others = new SqlPool({ ...patience, url: database.url, applicationName: 'others', poolSize: 2 });
  const waits = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
  let released: Promise<unknown> = Promise.resolve();
  const free = await others.transaction(async (tx: Sql) => {
    await tx.query({ text: lock, values: [payers.slice(0, 1)] });
    released = others.transaction(async (end: Sql) => {
      // The plan that many ends at once have: the rows come in the order in which they are stored.
      await end.query({ text: 'set local enable_sort = off' });
      await end.query({ text: 'set local enable_nestloop = off' });
      await end.query({ text: releaseClaims, values: [holds.map(({ exchangeId }) => exchangeId)] });
    });
    while ((await rows(database.url, waits)).length === 0) await new Promise((wake) => setImmediate(wake));
    return tx.query({ text: lock, values: [payers.slice(1)] });
  });
  await released;
  await others.close();
  expect(free).toHaveLength(99);
});
