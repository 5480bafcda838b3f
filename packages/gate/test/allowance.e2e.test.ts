import { DatabaseUnavailable, SqlPool, type Statement } from '@keyfare/db/sql';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { AccountService, MeterService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, withKey } from './requests.js';

/** The units of an account's posted calls, by the log. */
const served = `(select coalesce(sum(units), 0) from keyfare.entry e where e.principal = a.account_id and e.kind = 'call')`;

interface Allowance {
  readonly used: string;
  readonly leased: string;
}

describe('the allowance', () => {
  let ground: Ground;
  let gates: readonly [GateUnderTest, GateUnderTest];

  beforeAll(async () => {
    ground = await openGround();
    gates = [await startGate(ground), await startGate(ground)];
  });
  afterAll(async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    await ground.close();
  });

  /** The counters, once no process has an open lease: then what is used is what was served, unit for unit. */
  const allowance = async (accountId: string): Promise<Allowance | undefined> => {
    for (const gate of gates) await gate.app.get(MeterService).giveBack(accountId);
    return counters(accountId);
  };
  const counters = async (accountId: string): Promise<Allowance | undefined> => {
    const [row] = await rows<Record<'used' | 'leased' | 'served' | 'outstanding' | 'open_leases', string>>(
      ground.database.url,
      `select used, leased, open_leases, ${served} as served, (select coalesce(sum(granted - used), 0)
        from keyfare.lease l where l.account_id = a.account_id) as outstanding
        from keyfare.meter_feed a where account_id = $1`,
      [accountId],
    );
    if (row === undefined) return undefined;
    const { used, leased, outstanding } = row;
    expect(outstanding).toBe(leased);
    expect(BigInt(used) <= BigInt(row.served) && BigInt(row.served) <= BigInt(used) + BigInt(leased)).toBe(true);
    if (Number(row.open_leases) === 0) expect(row.served).toBe(used);
    return { used, leased };
  };

  it('is exact when 200 calls race for the last 50 units over two gates', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 50n });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => call(gates[index % 2] ?? gates[0], '/ping', withKey(secret))),
    );
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    expect([count(200), count(429)]).toEqual([50, 150]);
    expect((await allowance(key.accountId))?.used).toBe('50');
  });

  it('is used up to the last unit though another gate leased more than it needs', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 40n });
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(200);
    // 429 `meter/contended` while the first has not heard that units are asked for.
    const status = async (): Promise<number> => (await call(gates[1], '/ping', withKey(secret))).status;
    for (let index = 0; index < 39; index += 1) expect(await settled(status, 200)).toBe(200);
    expect(await status()).toBe(429);
    expect((await allowance(key.accountId))?.used).toBe('40');
  });

  it('gets back what a failed call held', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 2n });
    for (let index = 0; index < 5; index += 1)
      expect((await call(gates[0], '/fail/x', withKey(secret))).status).toBe(500);
    const good = [await call(gates[0], '/ping', withKey(secret)), await call(gates[0], '/ping', withKey(secret))];
    expect(good.map(({ status }) => status)).toEqual([200, 200]);
    expect((await allowance(key.accountId))?.used).toBe('2');
  });

  it('gets back what a call held that never ended, and the caller is told: 504', async () => {
    const hasty = await startGate(ground, { env: { HANDLER_TIMEOUT_MS: '200' } });
    const { secret, key } = await hasty.issueKey({ includedUnits: 1n });
    TestController.work.pause();
    const answer = await call(hasty, '/ping', withKey(secret));
    TestController.work.resume();
    expect([answer.status, answer.body['code']]).toEqual([504, 'service/timeout']);
    expect((await call(hasty, '/ping', withKey(secret))).status).toBe(200);
    await hasty.close();
    expect(await counters(key.accountId)).toEqual({ used: '1', leased: '0' });
  });

  it('counts calls of several units, and refuses one that no longer fits while a smaller one does', async () => {
    const { secret } = await gates[0].issueKey({ includedUnits: 3n });
    const init = {
      method: 'POST',
      headers: { ...withKey(secret).headers, 'content-type': 'application/json' },
      body: '{"text":"a"}',
    };
    expect((await call(gates[0], '/echo', init)).status).toBe(200);
    expect((await call(gates[0], '/echo', init)).status).toBe(429);
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(200);
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(429);
  });

  it('serves a small call that came after a large one for which too little is left', async () => {
    const { key } = await gates[0].issueKey({ includedUnits: 1n });
    const account = await gates[0].app.get(AccountService).find(key.accountId);
    const meter = gates[0].app.get(MeterService);
    const [large, small] = await Promise.all(
      [2n, 1n].map(async (units) => meter.hold({ accountId: account.id, plan: account.plan }, units, new Date())),
    );
    expect(large).toBe('exhausted');
    expect(small).toMatchObject({ rail: 'key', units: 1n });
  });

  it.each(['reject', 'x402'] as const)(
    'is not said to be used up while a call under way may still leave its units (%s): 429 for a second, and no reset time',
    async (overage) => {
      const { secret } = await gates[0].issueKey({ includedUnits: 1n, overage, overagePrice: 1_000n });
      TestController.work.runs = 0;
      TestController.work.pause();
      const slow = call(gates[0], '/ping', withKey(secret));
      await settled(async () => TestController.work.runs, 1);
      for (const gate of gates) {
        const refused = await call(gate, '/ping', withKey(secret));
        expect([refused.status, refused.body['code']]).toEqual([429, 'meter/contended']);
        expect(refused.headers.get('retry-after')).toBe('1');
        expect(refused.body).not.toHaveProperty('resetAt');
      }
      TestController.work.resume();
      expect((await slow).status).toBe(200);
      const gone = await settled(
        async () => (await call(gates[1], '/ping', withKey(secret))).body['code'],
        overage === 'reject' ? 'meter/exhausted' : 'payment/required',
      );
      expect(gone).toBe(overage === 'reject' ? 'meter/exhausted' : 'payment/required');
    },
  );

  it.each([
    ['was refused', { runs: false, inDoubt: false }],
    ['was lost on its way there', { runs: false, inDoubt: true }],
    ['was done, but its answer was lost', { runs: true, inDoubt: true }],
  ])('keeps every unit when a return %s', async (_how, { runs, inDoubt }) => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 80n });
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(200);
    // Each until it is told: the gate's own fold may be under way, and would take a failure that comes once.
    const failing = fail(gates[0], key.accountId, { runs, inDoubt });
    const meter = gates[0].app.get(MeterService);
    const giveBack = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn += 1) await meter.giveBack(key.accountId);
    };
    await expect(giveBack()).rejects.toThrow();
    failing.stop();
    await meter.giveBack(key.accountId);
    expect(await allowance(key.accountId)).toEqual({ used: '1', leased: '0' });
    expect(
      await rows(ground.database.url, 'select 1 from keyfare.lease where account_id = $1 and open', [key.accountId]),
    ).toEqual([]);
    for (let index = 0; index < 3; index += 1)
      expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(200);
    expect((await allowance(key.accountId))?.used).toBe('4');
  });

  it('finds units again that were leased without this gate hearing of it', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 80n });
    const failing = fail(gates[0], key.accountId, { runs: true, inDoubt: true });
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(503);
    failing.stop();
    // On a busy machine the sweep has found them before this looks.
    const leases = 'select 1 from keyfare.lease where account_id = $1';
    expect(await rows(ground.database.url, leases, [key.accountId])).toHaveLength(1);
    expect(await allowance(key.accountId)).toEqual({ used: '0', leased: '0' });
  });

  it('is whole again when a gate could give nothing back at its end: its peers sweep what nobody holds', async () => {
    const third = await startGate(ground);
    const { secret, key } = await third.issueKey({ includedUnits: 80n });
    expect((await call(third, '/ping', withKey(secret))).status).toBe(200);
    const sql = third.app.get(SqlPool);
    const query = sql.query.bind(sql);
    sql.query = async <Row>(statement: Statement): Promise<readonly Row[]> => {
      if (statement.text.includes('keyfare.lease'))
        throw new DatabaseUnavailable(new Error('gone'), { inDoubt: false });
      return query<Row>(statement);
    };
    await third.close();
    expect(await settled(async () => (await counters(key.accountId))?.leased, '0')).toBe('0');
    expect((await counters(key.accountId))?.used).toBe('1');
  });

  it('is whole again when a gate closes: nothing stays leased', async () => {
    const third = await startGate(ground);
    const { secret, key } = await third.issueKey({ includedUnits: 1_000n });
    expect((await call(third, '/ping', withKey(secret))).status).toBe(200);
    expect(Number((await counters(key.accountId))?.leased)).toBeGreaterThan(0);
    await third.close();
    expect(await counters(key.accountId)).toEqual({ used: '1', leased: '0' });
  });

  it('is whole again when a gate dies: its leases return when it is no longer heard of', async () => {
    const third = await startGate(ground, { env: { REPLICA_TTL_MS: '500' } });
    const { secret, key } = await third.issueKey({ includedUnits: 1_000n });
    expect((await call(third, '/ping', withKey(secret))).status).toBe(200);
    await rows(
      ground.database.url,
      'delete from keyfare.replica where id = (select replica_id from keyfare.lease where account_id = $1)',
      [key.accountId],
    );
    expect(await settled(async () => (await counters(key.accountId))?.leased, '0')).toBe('0');
    expect((await counters(key.accountId))?.used).toBe('1');
    await third.close();
  });

  it('counts once the call of a process that was taken for dead while it served', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 5n });
    TestController.work.runs = 0;
    TestController.work.pause();
    const slow = call(gates[0], '/ping', withKey(secret));
    await settled(async () => TestController.work.runs, 1);
    await rows(
      ground.database.url,
      'delete from keyfare.replica where id = (select replica_id from keyfare.lease where account_id = $1)',
      [key.accountId],
    );
    expect(await settled(async () => (await counters(key.accountId))?.leased, '0')).toBe('0');
    TestController.work.resume();
    expect((await slow).status).toBe(200);
    expect((await allowance(key.accountId))?.used).toBe('1');
  });

  it('cannot be passed even by a statement of our own', async () => {
    const { secret, key } = await gates[0].issueKey({ includedUnits: 1n });
    expect((await call(gates[0], '/ping', withKey(secret))).status).toBe(200);
    const over = rows(ground.database.url, 'update keyfare.allowance set used = used + 1 where account_id = $1', [
      key.accountId,
    ]);
    await expect(over).rejects.toThrow('allowance_cap');
  });
});

/** What the gate says of the account's leases fails until it is stopped, with or without having run. */
function fail(gate: GateUnderTest, account: string, how: { runs: boolean; inDoubt: boolean }): { stop: () => void } {
  const sql = gate.app.get(SqlPool);
  const query = sql.query.bind(sql);
  sql.query = async <Row>(statement: Statement): Promise<readonly Row[]> => {
    const isOurs = statement.name === 'keyfare_settle_leases' && (statement.values ?? []).flat().includes(account);
    if (!isOurs) return query<Row>(statement);
    if (how.runs) await query(statement);
    throw new DatabaseUnavailable(new Error('the connection broke'), { inDoubt: how.inDoubt });
  };
  return {
    stop: () => {
      sql.query = query;
    },
  };
}
