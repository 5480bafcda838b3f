import { randomBytes } from 'node:crypto';
import { parseEntry, type TermsPayload } from '@keyfare/core/log';
import { money } from '@keyfare/core/money';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { AgreementService, PlanService, TermsService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { rows, settled } from './requests.js';

describe('the terms of an account', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let ahead: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    ahead = await startGate(ground, { clock: () => new Date(Date.now() + 2_500) });
  });
  afterAll(async () => {
    await gate.close();
    await ahead.close();
    await ground.close();
  });

  const newPlan = async (): Promise<string> => {
    const slug = `plan-${randomBytes(6).toString('hex')}`;
    await gate.app.get(PlanService).create({
      slug,
      includedUnits: 10n,
      overage: 'reject',
      overagePrice: money('USD', 0n),
      monthlyPrice: money('USD', 0n),
    });
    return slug;
  };

  /** The signed entries of an account, in the order of their revisions, once there are so many. */
  const entries = async (accountId: string, count: number): Promise<readonly TermsPayload[]> => {
    const read = () =>
      rows<{ jws: string }>(
        ground.database.url,
        `select jws from keyfare.entry_feed where kind = 'terms' and principal = $1`,
        [accountId],
      );
    expect(await settled(async () => (await read()).length, count)).toBe(count);
    const payloads = (await read()).map(({ jws }) => parseEntry('terms', jws).payload);
    return payloads.toSorted((a, b) => (a.revision ?? 0) - (b.revision ?? 0));
  };

  /** The account as the gate has it must be what its last entry says, for whoever reads the log. */
  const expectAgreement = async (accountId: string, signed: readonly TermsPayload[]): Promise<void> => {
    expect(signed.map(({ revision }) => revision)).toEqual(signed.map((_, index) => index + 1));
    const times = signed.map(({ effectiveAt }) => effectiveAt);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const last = signed.at(-1);
    const [account] = await rows(
      ground.database.url,
      `select plan_id, revision, extract(epoch from date_trunc('second', effective_at))::bigint as effective_at
      from keyfare.account_feed where account_id = $1`,
      [accountId],
    );
    expect(account).toEqual({
      plan_id: last?.plan.id,
      revision: String(last?.revision),
      effective_at: String(last?.effectiveAt),
    });
    for (const each of [gate, ahead]) {
      const inForce = async () => (await each.app.get(TermsService).of(accountId)).plan.planId;
      expect(await settled(inForce, last?.plan.id ?? '')).toBe(last?.plan.id);
    }
  };

  it('are in one order for gate and log when four changes of plan race over two processes', async () => {
    const account = await gate.app.get(AgreementService).open({ name: 'Race', plan: await newPlan() });
    const plans = await Promise.all([1, 2, 3, 4].map(newPlan));
    await Promise.all(
      plans.map((plan, index) =>
        (index % 2 === 0 ? gate : ahead).app.get(AgreementService).changePlan(account.id, plan),
      ),
    );
    await expectAgreement(account.id, await entries(account.id, 5));
  });

  it('are in one order for gate and log when a process whose clock is 2.5 s ahead changes the plan and another changes it back', async () => {
    const before = await newPlan();
    const account = await gate.app.get(AgreementService).open({ name: 'Clock', plan: before });
    await ahead.app.get(AgreementService).changePlan(account.id, await newPlan());
    const back = await gate.app.get(AgreementService).changePlan(account.id, before);
    const signed = await entries(account.id, 3);
    expect(signed.at(-1)?.plan.id).toBe(back.plan.planId);
    await expectAgreement(account.id, signed);
  });

  it('never begin before the terms before them, though the clock of the database is set back', async () => {
    const account = await gate.app.get(AgreementService).open({ name: 'Back', plan: await newPlan() });
    await rows(
      ground.database.url,
      `update keyfare.account set effective_at = effective_at + interval '1 hour' where id = $1`,
      [account.id],
    );
    await gate.app.get(AgreementService).changePlan(account.id, await newPlan());
    const [first, second] = await entries(account.id, 2);
    expect(second?.effectiveAt).toBe((first?.effectiveAt ?? 0) + 3_600);
  });
});
