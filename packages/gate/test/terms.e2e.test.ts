import { randomBytes } from 'node:crypto';
import type { Overage } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import { SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { AgreementService, MeterService, PlanService, TermsService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, rows, settled, withKey } from './requests.js';

describe('a change of plan', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let other: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, { env: { KEY_CACHE_MAX_AGE_MS: '60000' } });
    other = await startGate(ground);
  });
  afterAll(async () => {
    await gate.close();
    await other.close();
    await ground.close();
  });

  const newPlan = async (includedUnits: bigint, overage: Overage = 'reject') =>
    other.app.get(PlanService).create({
      slug: `plan-${randomBytes(6).toString('hex')}`,
      includedUnits,
      overage,
      overagePrice: money('USD', 0n),
      monthlyPrice: money('USD', 0n),
    });
  const allowance = async (accountId: string) => {
    for (const each of [gate, other]) await each.app.get(MeterService).giveBack(accountId);
    return counters(accountId);
  };
  const counters = async (accountId: string) => {
    const [row] = await rows(
      ground.database.url,
      'select limit_units, used, leased, over_units from keyfare.allowance where account_id = $1',
      [accountId],
    );
    return row;
  };
  const code = async (secret: string): Promise<unknown> => (await call(gate, '/ping', withKey(secret))).body['code'];

  it.each([
    [2n, 1_000n],
    [1_000n, 2n],
  ])(
    'from %s to %s units holds for a month that is opened by a process which has not heard of it',
    async (before, after) => {
      const { secret, key } = await gate.issueKey({ includedUnits: before, scopes: ['ping'] });
      // Known to the process, and its month not opened.
      expect((await call(gate, '/other', withKey(secret))).status).toBe(403);
      const { cache } = gate.app.get(TermsService);
      const hear = cache.announce.bind(cache);
      cache.announce = () => undefined;
      const plan = await newPlan(after);
      await other.app.get(AgreementService).changePlan(key.accountId, plan.slug);
      for (let index = 0; index < 2; index += 1) expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
      cache.announce = hear;
      expect((await allowance(key.accountId))?.['limit_units']).toBe(after.toString());
      expect((await call(gate, '/ping', withKey(secret))).status).toBe(after > 2n ? 200 : 429);
    },
  );

  it('that is under way is waited for by the first call of the month', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 2n });
    const plan = await newPlan(1_000n);
    const owner = new SqlPool({ ...patience, url: ground.database.url, applicationName: 'test' });
    let first: ReturnType<typeof call> | undefined;
    await owner.transaction(async (tx) => {
      await tx.query({
        text: 'update keyfare.account set plan_id = $2 where id = $1',
        values: [key.accountId, plan.planId],
      });
      first = call(gate, '/ping', withKey(secret));
      const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      expect(await settled(async () => (await rows(ground.database.url, waits)).length, 1)).toBe(1);
    });
    await owner.close();
    expect((await first)?.status).toBe(200);
    expect((await allowance(key.accountId))?.['limit_units']).toBe('1000');
  });

  it('to a hard limit counts calls that were served when there was none, each once, and admits no more', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 1n, overage: 'invoice' });
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    const plan = await newPlan(1n);
    TestController.work.runs = 0;
    TestController.work.pause();
    const underWay = [1, 2, 3].map(() => call(gate, '/ping', withKey(secret)));
    await settled(async () => TestController.work.runs, 3);
    await gate.app.get(AgreementService).changePlan(key.accountId, plan.slug);
    TestController.work.resume();
    expect((await Promise.all(underWay)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await settled(() => code(secret), 'meter/exhausted')).toBe('meter/exhausted');
    expect(await allowance(key.accountId)).toEqual({ limit_units: '1', used: '4', leased: '0', over_units: '3' });
  });

  it('to a smaller limit does not admit calls into what was leased under the larger one', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 1_000n });
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    expect(Number((await counters(key.accountId))?.['leased'])).toBeGreaterThan(0);
    const plan = await newPlan(1n);
    await other.app.get(AgreementService).changePlan(key.accountId, plan.slug);
    const returned = { limit_units: '1', used: '1', leased: '0', over_units: '0' };
    const read = async () => JSON.stringify(await allowance(key.accountId));
    expect(await settled(read, JSON.stringify(returned))).toBe(JSON.stringify(returned));
    expect(await code(secret)).toBe('meter/exhausted');
  });
});
