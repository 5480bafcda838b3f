import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thumbprint } from '@keyfare/core/receipt';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { eurcDomain, testPayer } from '@keyfare/devstack/payers';
import { adminQuery } from '@keyfare/devstack/postgres';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { eurcAddress, mintUsdc } from '@keyfare/devstack/usdc';
import { fixedClock } from '@keyfare/fixtures/clock';
import { migrateGate } from '@keyfare/gate/database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateBilling } from '../src/database.js';
import { checkMatches } from '../src/reconcile/checks/matches.sql.js';
import { settle } from './payments.js';
import { type Books, openBooks, openWorldOn, type World } from './world.js';

const root = new URL('../../../../', import.meta.url);
const gateFixture = (name: string): string =>
  fileURLToPath(new URL(`packages/gate/test/fixtures/release-before/${name}`, root));
const books = fileURLToPath(new URL('apps/billing/test/fixtures/release-before/billing.sql', root));

/** Journals of more than two lines and of two assets, undone again so that no source comes to anything. */
const compound = [
  ['unbilled-receivable:acct__4dj6Ja_oGclKQ4c', 'USD', 70],
  ['revenue:key:other', 'USD', -30],
  ['revenue:x402:ping', 'USDC', 5],
  ['revenue:key:echo', 'USD', -60],
  ['revenue:key:ping', 'USD', 20],
  ['x402-receivable:eip155:84532', 'USDC', -5],
] as const;
const [oddId, undoneId] = ['00000000-0000-8000-8000-0000000000c1', '00000000-0000-8000-8000-0000000000c2'];
const oddJournals = `begin;
  insert into billing.journal values
    ('${oddId}', 'call', 'call:odd', '2026-11-26', now(), null, ${compound.length}, '\\x00'),
    ('${undoneId}', 'reversal', 'call:odd', '2026-11-26', now(), '${oddId}', ${compound.length}, '\\x00');
  insert into billing.posting values ${[
    ...compound.map(([account, asset, amount], line) => `('${oddId}', ${line}, '${account}', '${asset}', ${amount})`),
    ...compound.map(
      ([account, asset, amount], line) => `('${undoneId}', ${line}, '${account}', '${asset}', ${-amount})`,
    ),
  ].join(', ')};
  commit`;

interface Facts {
  readonly keys: Readonly<Record<string, { readonly account: string }>>;
  readonly payTo: string;
  readonly madeAt: string;
  readonly chainTime: number;
  /** How many entries billing had read. */
  readonly read: number;
}

const facts = JSON.parse(readFileSync(gateFixture('facts.json'), 'utf8')) as Facts;

/** The API's signing key of then. */
function oldSigner() {
  const seed = createHash('sha256').update('keyfare fixture receipts').digest();
  // RFC 8410, section 7: an Ed25519 private key is its seed after this.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const kid = `did:web:api.test#${thumbprint({ kty: 'OKP', crv: 'Ed25519', x })}`;
  return {
    signer: { kid, sign: (bytes: Uint8Array) => Uint8Array.from(sign(null, bytes, privateKey)) },
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig' } as const,
  };
}

describe('billing of today on the books of the release before', () => {
  let database: TestDatabase;
  let node: LocalChain;
  let world: World;
  let reader: Books;
  let old: Readonly<Record<string, readonly unknown[]>>;
  const directory = mkdtempSync(join(tmpdir(), 'keyfare-books-'));

  /** What was booked before: today's reading must not have changed it. */
  const booked = async (lines = 'billing.ledger_line'): Promise<typeof old> => {
    const read = async (text: string) => adminQuery(database.url, text);
    return {
      entries: await read('select id, kind, principal, digest, fault from billing.entry order by id'),
      charges: await read('select entry_id, account, payer, units, amount from billing.charge order by entry_id'),
      payments: await read('select entry_id, outcome, nonce, amount from billing.payment order by entry_id'),
      postings: await read(`select journal_id, account, asset, sum(amount)::text as amount from ${lines}
        group by 1, 2, 3 having sum(amount) <> 0 order by 1, 2`),
      breaks: await read(`select id, class, keys, asset, amount, side, detail, status, owner, resolution, note, history,
        first_seen, last_seen, present, run_id from billing.break order by id`),
      runs: await read('select id, report from billing.reconciliation order by id'),
    };
  };

  beforeAll(async () => {
    const statePath = join(directory, 'state.json');
    copyFileSync(gateFixture('chain.state'), statePath);
    [database, node] = await Promise.all([createTestDatabase(), startTestChain({ statePath })]);
    await callRpc(node.rpcUrl, 'evm_setTime', [facts.chainTime + 1]);
    for (const role of ['keyfare_gate', 'keyfare_billing_reader', 'keyfare_billing']) {
      await adminQuery(
        database.url,
        `do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`,
      );
    }
    for (const path of [gateFixture('keyfare.sql'), books]) {
      await adminQuery(database.url, readFileSync(path, 'utf8'));
    }
    await adminQuery(database.url, oddJournals);
    old = await booked('billing.posting');
    await migrateGate(database.url);
    await migrateBilling(database.url);
    world = await openWorldOn(database, {
      env: { PAY_TO: facts.payTo, RPC_URL: node.rpcUrl, RECONCILE_GRACE_SECONDS: '0' },
      clock: fixedClock(facts.madeAt),
    });
    const { signer, jwk } = oldSigner();
    world.log.signer = signer;
    world.log.keys.splice(0, world.log.keys.length, jwk);
    reader = openBooks(world);
  }, 60_000);
  afterAll(async () => {
    await reader.close();
    await world.close();
    await node.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  const open = async () => world.rows(`select class, amount from billing.break where status = 'open' order by class`);

  it('keeps what was booked, and stands at the place up to which it had read', async () => {
    expect(await booked()).toEqual(old);
    expect(await world.rows('select place::int from billing.feed_cursor')).toEqual([{ place: facts.read }]);
    // The migration has matched what was booked, as an audit matches it.
    const [matched] = await world.rows<{ matches: number }>('select count(*)::int as matches from billing.match');
    expect(matched?.matches).toBeGreaterThan(0);
    expect(await world.rows(checkMatches().text)).toEqual([]);
    const moved = await world.rows(`select e.id from billing.entry e join keyfare.entry_feed f using (id)
      where e.place <> f.place`);
    expect(moved).toEqual([]);
  });

  it('reads on there, each entry once, and finds no break that was not there before', async () => {
    const breaks = await open();
    expect(breaks).toEqual([{ class: 'unknown-inbound', amount: '77000' }]);
    await reader.readAll();
    const { report } = await reader.reconcileJob.run('manual');
    expect(report.entries).toMatchObject({ complete: true, bad: 0 });
    expect(report.payments).toMatchObject([{ status: 'matched', count: 5 }]);
    expect(await open()).toEqual(breaks);
    const missed = await world.rows(`select f.place, e.place as read from keyfare.entry_feed f
      full join billing.entry e on e.id = f.id and e.place = f.place and e.jws = f.jws
      where e.id is null or f.id is null or e.fault is not null`);
    expect(missed).toEqual([]);
    const [counted] = await world.rows<{ read: number }>('select count(*)::int as read from billing.entry');
    expect(counted?.read).toBeGreaterThan(facts.read);
    // What it booked before is still there as it was, beside what is new.
    expect((await booked())['charges']).toEqual(expect.arrayContaining([...(old['charges'] ?? [])]));
    expect((await booked())['postings']).toEqual(expect.arrayContaining([...(old['postings'] ?? [])]));
  });

  it('books what the gate of today writes behind it: calls by key and by wallet, and counted changes of terms', async () => {
    const account = facts.keys['invoice']?.account ?? '';
    await world.log.keyCall(account, { units: 2 });
    for (const payment of await settle(node, [{ payer: testPayer(1), payTo: facts.payTo, amount: 900n }])) {
      await world.log.paidCall(payment);
    }
    await world.log.terms(account, { includedUnits: '7' });
    await node.mine(5);
    await reader.readAll();
    const { report } = await reader.reconcileJob.run('manual');
    expect(report.entries).toMatchObject({ complete: true, bad: 0 });
    expect(await open()).toEqual([{ class: 'unknown-inbound', amount: '77000' }]);
    const [charge] = await world.rows<{ overage: string }>(
      'select overage::text from billing.charge where account = $1 order by place desc limit 1',
      [account],
    );
    expect(charge).toEqual({ overage: '2' });
  });

  it('books EURC beside it, read from where USDC was final: no account of before has another balance', async () => {
    const balances = async () =>
      world.rows(`select account, asset, sum(amount)::text as sum from billing.ledger_line
        where asset <> 'EURC' group by account, asset order by account`);
    const before = await balances();
    const payer = testPayer(1);
    await mintUsdc(node.rpcUrl, payer.address, 1_000n, eurcAddress);
    for (const payment of await settle(node, [{ payer, payTo: facts.payTo, amount: 800n, domain: eurcDomain }])) {
      await world.log.paidCall(payment);
    }
    await node.mine(5);
    await reader.readAll();
    const { report } = await reader.reconcileJob.run('manual');
    expect(report).toMatchObject({ entries: { complete: true, bad: 0 }, unchecked: [] });
    expect(report.otherTokens).toMatchObject([{ asset: 'EURC', wallets: [{ in: '0.000800', balance: '0.000800' }] }]);
    expect(await open()).toEqual([{ class: 'unknown-inbound', amount: '77000' }]);
    expect(await balances()).toEqual(before);
    const [eurc] = await world.rows<{ late: boolean }>(
      'select start_block > 0 as late from billing.chain_cursor where asset = $1',
      [eurcAddress.toLowerCase()],
    );
    expect(eurc).toEqual({ late: true });
  });
});
