import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { addressesByHeader, counted, from, GiftController, getWithBody, given } from './free-under-test.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { rows, settled, verifiedReceipt, withKey } from './requests.js';

const dayMs = 86_400_000;

/** Noon in the middle of next month, so that no period turns while a test runs. */
function middayAheadMs(): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 15, 12) - now.getTime();
}

/** Free calls per address. */
describe('a caller without a credential', () => {
  let ground: Ground;
  let gates: readonly [GateUnderTest, GateUnderTest];
  const usualMs = middayAheadMs();
  let aheadMs = usualMs;
  const clock = (): Date => new Date(Date.now() + aheadMs);

  beforeAll(async () => {
    ground = await openGround();
    const controllers = [GiftController, TestController];
    const start = async () => startGate(ground, { controllers, clock, prepare: addressesByHeader });
    gates = [await start(), await start()];
  }, 60_000);
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await ground.close();
  }, 60_000);

  it('is served for nothing while free calls of its address are left, with a receipt that names nobody, and told how many', async () => {
    const answer = await from(gates[0], '192.0.2.1', '/gift/two');
    expect([answer.status, answer.body]).toEqual([200, { two: true }]);
    const receipt = await verifiedReceipt(gates[0], answer);
    expect(receipt).toMatchObject({ rail: 'free', principal: 'anonymous', amount: '0', sku: 'two', units: 1 });
    expect(JSON.stringify(receipt)).not.toContain('192.0.2.1');
    expect(answer.headers.get('ratelimit-policy')).toBe('"free";q=2;w=86400');
    expect(answer.headers.get('ratelimit')).toMatch(/^"free";r=1;t=\d{1,5}$/);
    expect(answer.headers.get('answer-stored')).toBe('false');
    expect(answer.headers.get('payment-response')).toBeNull();
    const stored = await rows<{ principal: string; rail: string }>(
      ground.database.url,
      `select principal, rail from keyfare.entry where id = $1`,
      [answer.headers.get('receipt-id')],
    );
    expect(stored).toEqual([{ principal: 'anonymous', rail: 'free' }]);
    const again = await fetch(`${gates[1].url}/receipts/${answer.headers.get('receipt-id')}`);
    expect(await again.text()).toBe(answer.headers.get('keyfare-receipt'));
  });

  it('is asked to pay once they are used up, whichever process is asked, and told since when and until when', async () => {
    for (const gate of gates) expect((await from(gate, '192.0.2.2', '/gift/two')).status).toBe(200);
    for (const gate of [...gates, ...gates]) {
      const answer = await from(gate, '192.0.2.2', '/gift/two');
      expect([answer.status, answer.body['code']]).toEqual([402, 'payment/required']);
      expect(answer.headers.get('payment-required')).not.toBeNull();
      const today = clock().toISOString().slice(0, 10);
      expect(answer.body['free']).toMatchObject({ calls: 2, per: 'address', period: 'day', remaining: 0 });
      expect(answer.body['free']).toMatchObject({ since: `${today}T00:00:00.000Z` });
      expect(answer.headers.get('ratelimit')).toMatch(/^"free";r=0;t=\d+$/);
    }
    expect((await from(gates[0], '192.0.2.3', '/gift/two')).status).toBe(200);
  });

  it('gets ten of ten when fifty calls race over two processes, no more and no fewer, and forty are asked to pay', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => from(gates[index % 2] ?? gates[0], '192.0.2.4', '/gift/ten')),
    );
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    expect([count(200), count(402)]).toEqual([10, 40]);
    const left = answers.flatMap(({ headers, status }) =>
      status === 200 ? [/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]] : [],
    );
    expect(left.map(Number).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await given(ground, 'ten')).toBe(10);
    expect(await counted(ground, 'ten')).toMatchObject({ taken: 10, holds: 0, held: 0 });
  });

  it('gets ten of ten when each of two processes holds six of them in the same moment, whoever else is in the group', async () => {
    const addresses = Array.from({ length: 12 }, (_, index) => `198.51.100.${index}`);
    const statuses = await Promise.all(
      addresses.map(async (address) =>
        Promise.all(
          Array.from({ length: 12 }, async (_, index) => {
            return (await from(gates[index % 2] ?? gates[0], address, '/gift/ten')).status;
          }),
        ),
      ),
    );
    for (const each of statuses) expect(each.filter((status) => status === 200)).toHaveLength(10);
    const over = await rows(ground.database.url, 'select 1 from keyfare.free_caller where used + held > calls');
    expect(over).toEqual([]);
  });

  it('gets back what a call held whose handler failed, at once', async () => {
    for (let index = 0; index < 3; index += 1) {
      expect((await from(gates[0], '192.0.2.5', '/gift/fails/yes')).status).toBe(500);
    }
    expect((await from(gates[0], '192.0.2.5', '/gift/fails/no')).status).toBe(200);
    expect((await from(gates[0], '192.0.2.5', '/gift/fails/no')).status).toBe(402);
    expect(await counted(ground, 'fails')).toMatchObject({ taken: 1, holds: 0 });
  });

  it('loses nothing by a body that cannot be read or does not fit; used up, it is asked to pay before the body is read', async () => {
    const post = async (gate: GateUnderTest, body: string) =>
      from(gate, '192.0.2.6', '/gift/body', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    expect((await post(gates[0], '{')).status).toBe(400);
    expect((await post(gates[0], '{"text":"far too long for it"}')).status).toBe(400);
    expect((await post(gates[0], '{"text":"fits"}')).status).toBe(200);
    // The second process learns of it from the database, and then knows it.
    for (const gate of [gates[1], gates[1], gates[0]]) expect((await post(gate, '{')).status).toBe(402);
    expect(await given(ground, 'body')).toBe(1);
  });

  it('is the /64 of an IPv6 address, and not what X-Forwarded-For says', async () => {
    const both = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9'];
    for (const address of both) expect((await from(gates[0], address, '/gift/two')).status).toBe(200);
    expect((await from(gates[0], '2001:db8:1:2:3::1', '/gift/two')).status).toBe(402);
    expect((await from(gates[0], '2001:db8:1:3::1', '/gift/two')).status).toBe(200);
    const forged = { headers: { 'x-forwarded-for': '198.51.100.77', forwarded: 'for=198.51.100.77' } };
    expect((await from(gates[0], '2001:db8:1:2:3::1', '/gift/two', forged)).status).toBe(402);
  });

  it('shares with all others what is given away in total, and nobody leaves a row who got nothing', async () => {
    const callers = ['192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13', '192.0.2.14'];
    const before = await rows(ground.database.url, 'select 1 from keyfare.free_caller');
    const answers = await Promise.all(
      callers.map(async (address, index) => from(gates[index % 2] ?? gates[0], address, '/gift/few')),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 402, 402]);
    expect(await counted(ground, 'few')).toMatchObject({ taken: 3, holds: 0 });
    expect(await rows(ground.database.url, 'select 1 from keyfare.free_caller')).toHaveLength(before.length + 3);
  });

  it('gets back what a process held that died; and what that process posts after all is refused, not given twice', async () => {
    TestController.work.pause();
    const slow = from(gates[0], '192.0.2.7', '/gift/waits');
    const holds = `select 1 from keyfare.free_hold where tier like 'waits %'`;
    expect(await settled(async () => (await rows(ground.database.url, holds)).length, 1)).toBe(1);
    expect((await from(gates[1], '192.0.2.7', '/gift/waits')).status).toBe(402);
    await rows(
      ground.database.url,
      `update keyfare.free_hold set replica_id = gen_random_uuid() where tier like 'waits %'`,
    );
    expect(await settled(async () => (await rows(ground.database.url, holds)).length, 0)).toBe(0);
    TestController.work.resume();
    const late = await slow;
    expect([late.status, late.headers.get('keyfare-receipt')]).toEqual([503, null]);
    expect((await from(gates[1], '192.0.2.7', '/gift/waits')).status).toBe(200);
    expect(await given(ground, 'waits')).toBe(1);
    expect(await counted(ground, 'waits')).toMatchObject({ taken: 1, holds: 0 });
  });

  it('gets back what a call held that took too long, and one that its caller left', async () => {
    const hasty = await startGate(ground, {
      controllers: [GiftController],
      clock,
      prepare: addressesByHeader,
      env: { HANDLER_TIMEOUT_MS: '200' },
    });
    try {
      TestController.work.pause();
      expect((await from(hasty, '192.0.2.40', '/gift/ten')).status).toBe(504);
      const leaving = new AbortController();
      const left = from(gates[0], '192.0.2.40', '/gift/ten', { signal: leaving.signal }).catch(() => 'gone');
      expect(await settled(async () => (await counted(ground, 'ten')).holds, 1)).toBe(1);
      leaving.abort();
      expect(await left).toBe('gone');
      expect(await settled(async () => (await counted(ground, 'ten')).holds, 0)).toBe(0);
      TestController.work.resume();
      const answer = await from(gates[1], '192.0.2.40', '/gift/ten');
      expect(answer.headers.get('ratelimit')).toContain('r=9;');
    } finally {
      TestController.work.resume();
      await hasty.close();
    }
  });

  it('with a key is charged to its plan, and with a bad one refused: neither gets a free call', async () => {
    const { secret } = await gates[0].issueKey({ includedUnits: 1n });
    const answer = await from(gates[0], '192.0.2.8', '/gift/two', withKey(secret));
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null]);
    expect((await verifiedReceipt(gates[0], answer)).rail).toBe('key');
    expect((await from(gates[0], '192.0.2.8', '/gift/two', withKey(secret))).status).toBe(429);
    expect((await from(gates[0], '192.0.2.8', '/gift/two', withKey('kf_test_bad'))).status).toBe(401);
    const beyond = await gates[0].issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 5_000n });
    const asked = await from(gates[0], '192.0.2.8', '/gift/wallet', withKey(beyond.secret));
    expect([asked.status, asked.body['free']]).toEqual([402, undefined]);
    const left = await from(gates[0], '192.0.2.8', '/gift/two');
    expect(left.headers.get('ratelimit')).toContain('r=1;');
  });

  it('has a call counted each time, by HEAD and OPTIONS never, and a GET with a body is refused', async () => {
    const init = { headers: { 'idempotency-key': 'once' } };
    const [first, second] = [
      await from(gates[0], '192.0.2.9', '/gift/two', init),
      await from(gates[0], '192.0.2.9', '/gift/two', init),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.headers.get('receipt-id')).not.toBe(first.headers.get('receipt-id'));
    expect((await from(gates[0], '192.0.2.9', '/gift/two', init)).status).toBe(402);
    expect((await from(gates[0], '192.0.2.20', '/gift/two', { method: 'HEAD' })).status).toBe(405);
    expect((await from(gates[0], '192.0.2.20', '/gift/two', { method: 'OPTIONS' })).status).toBe(405);
    expect(await getWithBody(gates[0], '/gift/two')).toBe(400);
    const left = await from(gates[0], '192.0.2.20', '/gift/two');
    expect(left.headers.get('ratelimit')).toContain('r=1;');
  });

  it('has free calls again when the period turns, a day or a month in UTC', async () => {
    for (const path of ['/gift/month', '/gift/two', '/gift/two']) await from(gates[0], '192.0.2.30', path);
    const statuses = async (): Promise<readonly number[]> => [
      (await from(gates[0], '192.0.2.30', '/gift/two')).status,
      (await from(gates[1], '192.0.2.30', '/gift/month')).status,
    ];
    expect(await statuses()).toEqual([402, 402]);
    aheadMs = usualMs + dayMs;
    expect(await statuses()).toEqual([200, 402]);
    aheadMs = usualMs + 31 * dayMs;
    expect(await statuses()).toEqual([200, 200]);
    aheadMs = usualMs;
    expect(await statuses()).toEqual([402, 402]);
  });

  it('leaves no row of a period that is over', async () => {
    const past = `now() - interval '2 hours'`;
    await rows(ground.database.url, `insert into keyfare.free_tier values ('old address day 2020-01-01', ${past}, 1)`);
    await rows(ground.database.url, `insert into keyfare.free_caller values (sha256('old'), ${past}, 1, 1, 0, 1)`);
    const old = `select 1 from keyfare.free_tier where ends_at < now() union all
      select 1 from keyfare.free_caller where ends_at < now()`;
    expect(await settled(async () => (await rows(ground.database.url, old)).length, 0)).toBe(0);
  });

  it('is known in the database by a keyed hash alone, which says nothing of its address', async () => {
    const [row] = await rows<{ subject: Buffer }>(
      ground.database.url,
      'select subject from keyfare.free_caller limit 1',
    );
    expect(row?.subject).toHaveLength(32);
    const columns = await rows<{ column_name: string }>(
      ground.database.url,
      `select column_name from information_schema.columns where table_name in ('free_caller', 'free_hold', 'free_tier')`,
    );
    expect(columns.map(({ column_name }) => column_name)).not.toContain('address');
  });
});
