import { callRpc } from '@keyfare/devstack/chain';
import { testPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { AgreementService } from '../src/services.js';
import { type GateUnderTest, type Ground, startGate } from './gate-under-test.js';
import { clockOf, openReleaseBefore, readFacts } from './release-before.js';
import { call, rows, settled, signPayment, verifiedReceipt, withKey } from './requests.js';

const facts = readFacts();

function key(name: string): (typeof facts.keys)[string] {
  const found = facts.keys[name];
  if (found === undefined) throw new Error(`the fixture has no key ${name}`);
  return found;
}

function payment(name: string): (typeof facts.payments)[string] {
  const found = facts.payments[name];
  if (found === undefined) throw new Error(`the fixture has no payment ${name}`);
  return found;
}

const presented = (name: string): RequestInit => ({ headers: { 'payment-signature': payment(name).header } });

async function stateOf(ground: Ground, name: string): Promise<unknown> {
  const [row] = await rows(ground.database.url, 'select state from keyfare.payment where nonce = $1', [
    payment(name).nonce,
  ]);
  return row?.['state'];
}

/** A gate of today on what is there, at the time at which the fixture was made. */
async function openToday(ground: Ground): Promise<GateUnderTest> {
  return startGate(ground, { clock: clockOf(facts) });
}

describe('a database of the release before, migrated', () => {
  let ground: Ground;
  let old: Awaited<ReturnType<typeof readOld>>;

  const readOld = async () => {
    const read = async (text: string) => rows(ground.database.url, text);
    return {
      log: await read(`select e.id, e.kind, e.principal, e.digest, e.recorded_at, r.jws, u.rail, u.account_id, u.payer, u.sku,
        u.units, u.period_start, u.occurred_at from keyfare.entry e left join keyfare.receipt r using (id)
        left join keyfare.usage u using (id) order by e.tx, e.position`),
      allowances: await read('select account_id, period_start, limit_units, used from keyfare.allowance order by 1, 2'),
      leased: await read('select sum(outstanding) as units from keyfare.lease'),
      sums: await read(`select account_id, period_start, sum(units) as units from keyfare.usage where rail = 'key'
        group by 1, 2 order by 1, 2`),
      keys: await read('select * from keyfare.api_key order by id'),
      secrets: await read('select * from keyfare.api_key_secret order by id'),
      bodies: await read('select nonce, call, transaction, failure from keyfare.payment order by nonce'),
      accounts: await read('select id, name, plan_id, status, created_at from keyfare.account order by id'),
    };
  };

  beforeAll(async () => {
    ground = await openReleaseBefore();
    // As if it had been settled just before the upgrade.
    await rows(ground.database.url, 'update keyfare.payment set claimed_at = now() where nonce = $1', [
      payment('settled-1').nonce,
    ]);
    old = await readOld();
    await migrateGate(ground.database.url);
  }, 60_000);
  afterAll(async () => ground.close());

  const read = async (text: string) => rows(ground.database.url, text);

  it('has every entry under its id with the same bytes and usage, at gapless places in the old order', async () => {
    expect(old.log.length).toBeGreaterThan(40);
    expect(new Set(old.log.map(({ kind }) => kind as string))).toEqual(new Set(['call', 'terms', 'unpaid']));
    const now = await read(`select place::int, id, kind, principal, digest, recorded_at, jws, usage_rail as rail,
      usage_account as account_id, usage_payer as payer, usage_sku as sku, usage_units as units,
      usage_period_start as period_start, usage_occurred_at as occurred_at from keyfare.entry_feed order by last_place, place`);
    expect(now).toEqual(old.log.map((entry, index) => ({ place: index + 1, ...entry })));
    expect(await read('select place::int from keyfare.log_head')).toEqual([{ place: old.log.length }]);
  });

  it('keeps the calls in the partition of their month, and ids that tell no time in the default one', async () => {
    const kept = await read(
      `select distinct tableoid::regclass::text as partition, kind from keyfare.entry order by 1, 2`,
    );
    expect(kept).toEqual([
      { partition: 'keyfare.entry_2026_11', kind: 'call' },
      { partition: 'keyfare.entry_2026_11', kind: 'unpaid' },
      { partition: 'keyfare.entry_other', kind: 'terms' },
    ]);
  });

  it('counts as many units for each account and month as its log has, and nothing is leased any more', async () => {
    const sums = await read(`select principal as account_id, period_start, sum(units) as units from keyfare.entry
      where kind = 'call' and rail = 'key' group by 1, 2 order by 1, 2`);
    expect(sums).toEqual(old.sums);
    expect(Number(old.leased[0]?.['units'])).toBeGreaterThan(0);
    const allowances = await read(
      'select account_id, period_start, limit_units, used from keyfare.allowance order by 1, 2',
    );
    expect(allowances).toEqual(old.allowances);
    expect(allowances.map(({ used }) => used as string)).toEqual(sums.map(({ units }) => units as string));
    expect(await read('select 1 from keyfare.lease')).toEqual([]);
    expect(await read('select 1 from keyfare.allowance where leased <> 0')).toEqual([]);
  });

  it('has its accounts, keys and secrets as they were, each account dated no earlier than its last terms', async () => {
    expect(await read('select id, name, plan_id, status, created_at from keyfare.account order by id')).toEqual(
      old.accounts,
    );
    expect(await read('select * from keyfare.api_key order by id')).toEqual(old.keys);
    expect(await read('select * from keyfare.api_key_secret order by id')).toEqual(old.secrets);
    const early = await read(`select a.account_id from keyfare.account_feed a join keyfare.entry_feed e
      on e.principal = a.account_id and e.kind = 'terms' where e.recorded_at > a.effective_at`);
    expect(early).toEqual([]);
  });

  it('has its payments in the states of today, with what they served and how they ended', async () => {
    const states = await Promise.all(
      Object.keys(facts.payments).map(async (name) => [name, await stateOf(ground, name)] as const),
    );
    expect(Object.fromEntries(states)).toEqual({
      'settled-1': 'settled',
      'settled-2': 'final',
      'settled-3': 'final',
      'settled-4': 'final',
      overage: 'final',
      failed: 'failed',
      expired: 'expired',
      submitted: 'settling',
      claimed: 'claimed',
    });
    expect(await read('select nonce, call, transaction, failure from keyfare.payment order by nonce')).toEqual(
      old.bodies,
    );
  });
});

describe('a gate of today on a database of the release before', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let paid: bigint;
  let held: bigint;

  beforeAll(async () => {
    ground = await openReleaseBefore();
    await rows(ground.database.url, 'update keyfare.payment set claimed_at = now() where nonce = $1', [
      payment('settled-1').nonce,
    ]);
    paid = await usdcBalance(ground.chain.rpcUrl, ground.payTo);
    await migrateGate(ground.database.url);
    held = await exposure();
    gate = await openToday(ground);
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  const exposure = async (): Promise<bigint> => {
    const [row] = await rows(ground.database.url, 'select coalesce(sum(open), 0) as open from keyfare.payer_exposure');
    return BigInt(row?.['open'] as string);
  };

  it('takes the submitted payment over, settles it with the stored transaction, and serves its call', async () => {
    expect(
      await settled(async () => ['settled', 'final'].includes((await stateOf(ground, 'submitted')) as string), true),
    ).toBe(true);
    const [row] = await rows(
      ground.database.url,
      `select p.transaction = s.transaction as stored from keyfare.payment p
        join keyfare.settlement s on s.wallet = p.wallet and s.wallet_nonce = p.wallet_nonce where p.nonce = $1`,
      [payment('submitted').nonce],
    );
    expect(row).toEqual({ stored: true });
    expect(await usdcBalance(ground.chain.rpcUrl, ground.payTo)).toBe(paid + 1_000n);
    const answer = await call(gate, '/ping', presented('submitted'));
    expect([answer.status, answer.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    expect(answer.body).toMatchObject({ pong: true });
    expect(await verifiedReceipt(gate, answer)).toMatchObject({ nonce: payment('submitted').nonce });
  });

  it('gives up the claim of the killed process, and the same payment buys the call', async () => {
    expect(await settled(() => stateOf(ground, 'claimed'), undefined)).toBeUndefined();
    expect(held).toBe(2_000n);
    expect(await settled(exposure, 0n)).toBe(0n);
    expect((await call(gate, '/ping', presented('claimed'))).status).toBe(200);
  });

  it('holds what was settled just before to be final when the chain says so', async () => {
    await ground.chain.mine(5);
    expect(await settled(() => stateOf(ground, 'settled-1'), 'final')).toBe('final');
  });

  it('answers every receipt that was handed out, byte for byte', async () => {
    for (const { id, receipt } of facts.answers) {
      const found = await fetch(`${gate.url}/receipts/${id}`);
      expect(await found.text()).toBe(receipt);
    }
    expect(facts.answers.length).toBeGreaterThan(30);
  });

  it('says of a payment of then that it was served, for nothing shows whose it is; and 402 of one that failed', async () => {
    for (const name of ['settled-1', 'settled-4']) {
      const answer = await call(gate, '/ping', presented(name));
      expect([answer.status, answer.body['code']]).toEqual([409, 'payment/served']);
      expect(answer.headers.has('keyfare-receipt')).toBe(false);
    }
    for (const name of ['failed', 'expired']) {
      const answer = await call(gate, '/ping', presented(name));
      expect([answer.status, answer.body['code']]).toEqual([402, 'payment/failed']);
    }
  });

  it('serves the keys that were good, refuses the others, and counts on', async () => {
    const used = async (account: string) =>
      (await rows(ground.database.url, 'select used from keyfare.allowance where account_id = $1', [account]))[0]?.[
        'used'
      ];
    const before = Number(await used(key('reject').account));
    expect((await call(gate, '/ping', withKey(key('reject').secret))).status).toBe(200);
    expect((await call(gate, '/ping', withKey(key('invoice').secret))).status).toBe(200);
    expect(await settled(() => used(key('reject').account), String(before + 1))).toBe(String(before + 1));
    const codes = async (name: string): Promise<unknown[]> => {
      const { status, body } = await call(gate, '/ping', withKey(key(name).secret));
      return [status, body['code']];
    };
    expect(await codes('tiny')).toEqual([429, 'meter/exhausted']);
    expect(await codes('suspended')).toEqual([403, 'policy/suspended']);
    expect(await codes('revoked')).toEqual([401, 'credential/revoked']);
    expect((await codes('replaced'))[0]).toBe(401);
    // A rotation that nobody had used yet; the plan's units are used up, so a wallet may pay.
    expect((await codes('pending'))[0]).toBe(402);
  });

  it('counts changes of terms from the first one on, dated no earlier than those before', async () => {
    const { account } = key('reject');
    const terms = async () =>
      rows<{ revision: number | null; effective: number }>(
        ground.database.url,
        `select (convert_from(payload, 'UTF8')::json ->> 'revision')::int as revision,
          (convert_from(payload, 'UTF8')::json ->> 'effectiveAt')::int as effective
        from keyfare.entry where kind = 'terms' and principal = $1 order by recorded_at`,
        [account],
      );
    const before = await terms();
    expect(before.map(({ revision }) => revision)).toEqual([null, null]);
    await gate.app.get(AgreementService).changePlan(account, 'tiny');
    const [change, ...rest] = (await terms()).slice(before.length);
    expect([change?.revision, rest]).toEqual([1, []]);
    expect(change?.effective).toBeGreaterThanOrEqual(before.at(-1)?.effective ?? Number.POSITIVE_INFINITY);
    expect((await call(gate, '/ping', withKey(key('reject').secret))).status).toBe(429);
  });

  it('serves a paid call', async () => {
    const validBefore = BigInt(Math.floor(clockOf(facts)().getTime() / 1_000)) + 300n;
    const { v2, nonce } = await signPayment(ground, testPayer(1), { validBefore });
    const answer = await call(gate, '/ping', { headers: v2 });
    expect(answer.status).toBe(200);
    expect(await verifiedReceipt(gate, answer)).toMatchObject({ nonce, settlement: 'settled' });
  });
});

describe('a submitted payment of the release before that ran out meanwhile', () => {
  let ground: Ground;
  let gate: GateUnderTest;

  beforeAll(async () => {
    ground = await openReleaseBefore();
    const late = BigInt(payment('submitted').validBefore) + 3_600n;
    await callRpc(ground.chain.rpcUrl, 'evm_setNextBlockTimestamp', [`0x${late.toString(16)}`]);
    await ground.chain.mine();
    await migrateGate(ground.database.url);
    gate = await startGate(ground, { clock: () => new Date(Number(late) * 1_000) });
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  it('expires: an entry says that it is unpaid, and a retry is told 402', async () => {
    expect(await settled(() => stateOf(ground, 'submitted'), 'expired')).toBe('expired');
    const entries = await rows(
      ground.database.url,
      `select e.kind from keyfare.entry e join keyfare.payment p on p.exchange_id = e.id where p.nonce = $1`,
      [payment('submitted').nonce],
    );
    expect(entries).toEqual([{ kind: 'unpaid' }]);
    const answer = await call(gate, '/ping', presented('submitted'));
    expect([answer.status, answer.body['code']]).toEqual([402, 'payment/expired']);
  });
});
