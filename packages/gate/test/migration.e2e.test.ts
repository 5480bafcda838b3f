import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { signEntry } from '@keyfare/core/log';
import { thumbprint } from '@keyfare/core/receipt';
import { createDataSource } from '@keyfare/db/data-source';
import { migrate } from '@keyfare/db/migrations';
import { SqlPool } from '@keyfare/db/sql';
import { createTestDatabase, patience, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterEach, beforeEach, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate, ownerDataSource } from '../src/database.js';
import { newExchangeId } from '../src/exchange/exchange.js';

let database: TestDatabase;
let sql: SqlPool;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = new SqlPool({ ...patience, url: database.url, applicationName: 'test' });
});
afterEach(async () => {
  await sql.close();
  await database.drop();
});

/** The schema as it was before a migration: those with a lower number, and no later one. */
async function migrateBefore(number: string): Promise<void> {
  const all = ownerDataSource(database.url).options.migrations as unknown as readonly (new () => never)[];
  const before = all.filter(({ name }) => name.replace(/\D+/, '') < number);
  const dataSource = createDataSource({
    url: database.url,
    schema: 'keyfare',
    entities: [],
    migrations: before,
    applicationName: 'before',
  });
  await dataSource.initialize();
  await migrate(dataSource, 'keyfare');
  await dataSource.destroy();
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const { x = '' } = publicKey.export({ format: 'jwk' });
const signer = {
  kid: `did:web:api.test#${thumbprint({ kty: 'OKP', crv: 'Ed25519', x })}`,
  sign: (bytes: Uint8Array) => Uint8Array.from(sign(null, bytes, privateKey)),
};

/** Writes a key call as that release did; the age of the id does not follow the order of the log. */
async function writeCall(index: number): Promise<{ id: string; jws: string }> {
  const id = index % 3 === 0 ? randomUUID() : newExchangeId(new Date(Date.now() - index * 86_400_000));
  const jws = signEntry(
    'call',
    {
      version: 1,
      id,
      rail: 'key',
      principal: 'acct_1',
      sku: 'forecast',
      method: 'GET',
      resourceUrl: `https://api.test/a?${'x'.repeat(index)}`,
      status: 200,
      units: index + 1,
      responseDigest: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
      issuedAt: 1_800_000_000,
    },
    signer,
  );
  await sql.query({
    text: `with entry as (insert into keyfare.entry (id, kind, principal, digest) values ($1, 'call', 'acct_1', $2)),
      receipt as (insert into keyfare.receipt values ($1, 'call', 'acct_1', $3, $4, now()))
      insert into keyfare.usage (id, rail, account_id, key_id, sku, units, period_start, occurred_at)
      values ($1, 'key', 'acct_1', 'key_1', 'forecast', $5, '2026-11-01Z', now())`,
    values: [id, createHash('sha256').update(jws).digest(), signer.kid, jws, index + 1],
  });
  return { id, jws };
}

it('a log of the release before comes over whole: each document byte for byte, its units, and its place in the old order', async () => {
  await migrateBefore('1796000000000');
  const calls: { id: string; jws: string }[] = [];
  for (let index = 0; index < 60; index += 1) calls.push(await writeCall(index));
  await migrateGate(database.url);
  const feed = await sql.query<{ place: number; id: string; jws: string; usage_units: string; usage_account: string }>({
    text: 'select place::int, id, jws, usage_units, usage_account from keyfare.entry_feed order by last_place, place',
  });
  expect(feed).toEqual(
    calls.map(({ id, jws }, index) => ({
      place: index + 1,
      id,
      jws,
      usage_units: String(index + 1),
      usage_account: 'acct_1',
    })),
  );
  expect(await sql.query({ text: 'select place::int from keyfare.log_head' })).toEqual([{ place: 60 }]);
  const tables = await sql.query({
    text: `select 1 from pg_tables where schemaname = 'keyfare' and tablename in ('receipt', 'usage', 'entry_before')`,
  });
  expect(tables).toEqual([]);
});

it('deferred payments of the release before are counted in the total of what is open, and ended and other ones are not', async () => {
  await migrateBefore('1796000000800');
  const payments = [
    ['deferred', 'claimed', 1],
    ['deferred', 'served', 20],
    ['deferred', 'settling', 300],
    ['deferred', 'final', 4_000],
    ['deferred', 'expired', 50_000],
    ['authorization', 'claimed', 600_000],
  ] as const;
  for (const [index, [flow, state, amount]] of payments.entries()) {
    await sql.query({
      text: `insert into keyfare.payment (network, asset, payer, nonce, exchange_id, replica_id, fingerprint, pay_to, amount,
          valid_after, valid_before, signature, claimed_at, flow, state, call, served_at, wallet, wallet_nonce,
          unused_at_block, transaction)
        values ('eip155:84532', '0xa', $1, $1, gen_random_uuid(), gen_random_uuid(), '\\x00', '0xb', $2, 0, 1, '\\x00', now(),
          $3, $4, '{}', now(), '0xc', $5, 1, '0xd')`,
      values: [`0x${String(index)}`, String(amount), flow, state, String(index)],
    });
  }
  await migrateGate(database.url);
  const totals = await sql.query({ text: 'select network, asset, open::text from keyfare.open_total' });
  expect(totals).toEqual([{ network: 'eip155:84532', asset: '0xa', open: '321' }]);
});

it('payments of the release before come over in every state: those at their end are closed, and only what moved for no call is unserved', async () => {
  await migrateBefore('1796000000900');
  const states = ['claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired'];
  for (const [index, [state, flow]] of states
    .flatMap((one) => [
      [one, 'deferred'],
      [one, 'upfront'],
    ])
    .entries()) {
    // Before its call an upfront payment has none; a served one, of no flow, is without.
    const isBare = flow === 'upfront' && state !== 'served';
    await sql.query({
      text: `insert into keyfare.payment (network, asset, payer, nonce, exchange_id, replica_id, fingerprint, pay_to, amount,
          valid_after, valid_before, signature, claimed_at, flow, state, call, served_at, wallet, wallet_nonce,
          unused_at_block, transaction)
        values ('eip155:84532', '0xa', $1, $1, gen_random_uuid(), gen_random_uuid(), '\\x00', '0xb', 1, 0, 1, '\\x00', now(),
          $2, $3, $4, now(), '0xc', $5, 1, '0xd')`,
      values: [`0x${String(index)}`, flow, state, isBare ? null : '{}', String(index)],
    });
  }
  await migrateGate(database.url);
  const found = await sql.query<object>({
    text: `select state, flow, closed, unserved, sku from keyfare.payment order by substr(payer, 3)::int`,
  });
  expect(found).toEqual(
    states.flatMap((state) => {
      const closed = ['final', 'failed', 'expired'].includes(state);
      return [
        { state, flow: 'deferred', closed, unserved: false, sku: null },
        { state, flow: 'upfront', closed, unserved: state !== 'served', sku: null },
      ];
    }),
  );
});
