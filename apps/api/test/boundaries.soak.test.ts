import { fileURLToPath } from 'node:url';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { adminQuery, databaseUrl } from '@keyfare/devstack/postgres';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Api, type Billing, type Ground, openAccount, openGround, startApi, startBilling } from './api-process.js';
import { countIndependently, type Held, type Places } from './independent-count.js';
import { type KillPoint, killPoints, startVictim } from './kill-points.js';
import { payUntilAnswered } from './payments-in-hand.js';

const main = fileURLToPath(new URL('flows-process.js', import.meta.url));
const paymentsEach = 3;

describe('a process that is killed at a boundary of a payment’s states, with a peer alive', () => {
  let ground: Ground;
  let peer: Api;
  let billing: Billing;
  let payer: TestPayer;
  let places: Places;
  const held: Held[] = [];
  // A caller knows one address, whichever process is behind it.
  const shared = {
    PUBLIC_URL: 'http://api.test',
    REPLICA_TTL_MS: '1000',
    LOG_LEVEL: 'warn',
    DEFERRED_INTERVAL_MS: '50',
  };

  beforeAll(async () => {
    ground = await openGround();
    // The peer leaves served payments to the victim, which is to die over them, for as long as it can.
    peer = await startApi(ground, { ...shared, DEFERRED_AGE_SECONDS: '8' }, main);
    billing = await startBilling(ground, peer);
    payer = await fundedPayer(ground.chain, 1);
  }, 60_000);
  afterAll(async () => {
    await billing.service.stop();
    await peer.service.stop();
    await ground.close();
  }, 60_000);

  const open = async (): Promise<number> =>
    (
      await adminQuery(
        ground.database.url,
        `select 1 from keyfare.payment where state in ('claimed', 'served', 'settling')`,
      )
    ).length;

  async function dieAt(point: KillPoint): Promise<void> {
    const env = { ...shared, DEFERRED_AGE_SECONDS: '1' };
    const victim = await startVictim(ground, point, { main, env });
    try {
      const { secret } = await openAccount(ground, peer, { includedUnits: 1_000, overage: 'reject' });
      const urls = [victim.api.url, peer.url];
      const payments = Array.from({ length: paymentsEach }, () =>
        payUntilAnswered(urls, { flow: point.flow, payer, payTo: ground.payTo }),
      );
      held.push(...(await Promise.all([...payments, callByKey(peer, secret)])));
      await victim.died;
    } finally {
      await victim.close();
    }
    await until(async () => (await open()) === 0);
  }

  it.each(killPoints.map((point) => [point.flow, point.name, point] as const))(
    '%s: %s, and every payment is answered once',
    async (_flow, _name, point) => {
      const before = held.length;
      await dieAt(point);
      expect(held.length - before).toBe(paymentsEach + 1);
    },
    120_000,
  );

  it('leaves receipts in hands, usage, entries, ledger and chain equal, counted without the product, and no break but refunds', async () => {
    places = {
      databaseUrl: ground.database.url,
      rpcUrl: ground.chain.rpcUrl,
      asset: usdcAddress,
      payTo: ground.payTo,
      jwks: (await (await fetch(`${peer.url}/.well-known/jwks.json`)).json()) as Places['jwks'],
    };
    // The batches were batches: else nothing died between their rows.
    const [batches] = await adminQuery<{ shared: number }>(
      ground.database.url,
      `select count(*)::int as shared from (select transaction from keyfare.payment where flow = 'deferred'
        group by transaction having count(*) > 1) t`,
    );
    expect(batches?.shared).toBeGreaterThanOrEqual(killPoints.filter(({ flow }) => flow === 'deferred').length);
    const run = await billing.reconcile();
    // A refund that is due is an open break until it is paid; there is one for each caller who was told so, and no
    // other.
    const refunds = held.flatMap(({ id, nonce }) => (id === undefined ? [`refund-due ${nonce}`] : []));
    expect(run.breaks.map((one) => `${one.class} ${one.keys['nonce']}`).toSorted()).toEqual(refunds.toSorted());
    expect(refunds.length).toBeGreaterThan(0);
    expect(run.report).toMatchObject({ unchecked: [], entries: { complete: true, bad: 0 } });
    // What a living process holds of allowances goes back when it ends.
    await peer.service.stop();
    await billing.service.stop();
    expect(await countIndependently(places, held)).toEqual([]);
  }, 120_000);

  it.each([
    ['an entry less', 'delete from keyfare.entry where id = $1', /no entry/],
    ['a unit more', 'update keyfare.entry set units = units + 1 where id = $1', /usage units/],
    ['another digest', `update keyfare.entry set digest = sha256('x') where id = $1`, /digest/],
    [
      'an entry without a place',
      `insert into keyfare.entry select gen_random_uuid(), kind, principal, rail, account_id,
       key_id, sku, units, period_start, occurred_at, writer, post, kid, payload, signature, digest, recorded_at
       from keyfare.entry where id = $1`,
      /no place/,
    ],
    ['an allowance that is off', 'update keyfare.allowance set used = used + 1 where $1::uuid is not null', /used/],
    [
      'a movement that is off',
      `update billing.movement set amount = amount + 1 where debit like 'usdc:%' and $1::uuid is not null`,
      /ledger usdc/,
    ],
  ])(
    'the count names %s',
    async (_what, plant, difference) => {
      const name = `${ground.database.name.slice(0, 40)}_copy`;
      await adminQuery(ground.database.adminUrl, `create database "${name}" template "${ground.database.name}"`);
      try {
        const url = databaseUrl(ground.database.adminUrl, name);
        await adminQuery(url, `alter database "${name}" set session_replication_role = replica`);
        await adminQuery(url, plant, [held.find(({ id }) => id !== undefined)?.id]);
        expect(await countIndependently({ ...places, databaseUrl: url }, held)).toContainEqual(
          expect.stringMatching(difference),
        );
      } finally {
        await adminQuery(ground.database.adminUrl, `drop database if exists "${name}" with (force)`);
      }
    },
    60_000,
  );

  it('the count names a receipt that is in nobody’s hands', async () => {
    const index = held.findIndex(({ nonce, id }) => nonce !== undefined && id !== undefined);
    expect(await countIndependently(places, held.toSpliced(index, 1))).toContainEqual(
      expect.stringMatching(/in nobody's hands/),
    );
  });
});

async function callByKey(api: Api, secret: string): Promise<Held> {
  const headers = { authorization: `Bearer ${secret}` };
  let response = await fetch(`${api.url}/flows/authorization`, { headers });
  // A peer that stood still for a second was taken for dead, and says so.
  for (const end = Date.now() + 60_000; response.status === 503 && Date.now() < end; ) {
    await response.arrayBuffer();
    response = await fetch(`${api.url}/flows/authorization`, { headers });
  }
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  return { id: response.headers.get('receipt-id') ?? '', jws: response.headers.get('keyfare-receipt') ?? '' };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it did not become so');
    await new Promise((wake) => setTimeout(wake, 50));
  }
}
