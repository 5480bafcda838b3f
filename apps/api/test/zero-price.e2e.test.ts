import { adminQuery } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import {
  type Api,
  admin,
  type Billing,
  type Ground,
  openAccount,
  openGround,
  operatorToken,
  startApi,
  startBilling,
} from './api-process.js';

const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

interface Line {
  readonly kind: string;
  readonly quantity: string;
  readonly unitPrice: string;
  readonly amount: string;
}

/** A route that costs $0.001 by wallet, called by accounts whose plan says what a unit beyond it costs. */
describe('a price of $0 for what goes beyond a plan', () => {
  let ground: Ground;
  let api: Api;
  let billing: Billing;

  beforeAll(async () => {
    ground = await openGround();
    api = await startApi(ground);
    billing = await startBilling(ground, api);
  }, 60_000);
  afterAll(async () => {
    await billing.service.stop();
    await api.service.stop();
    await ground.close();
  }, 30_000);

  const callWith = async (secret: string): Promise<Response> =>
    fetch(`${api.url}${route}`, { headers: { authorization: `Bearer ${secret}` } });

  it.each(['x402', 'invoice'])(
    '(%s) is $0 in the plan, asks nothing of the caller, and is $0 in the charges and on the invoice',
    async (overage) => {
      const { account, secret } = await openAccount(ground, api, { includedUnits: 1, overage, overagePrice: '$0' });
      const { plan } = await admin<{ plan: { overagePrice: string } }>(ground, api, `/accounts/${account}`);
      expect(plan.overagePrice).toBe('$0.000000');
      for (let turn = 0; turn < 3; turn += 1) {
        const answer = await callWith(secret);
        expect([answer.status, answer.headers.has('payment-required')]).toEqual([200, false]);
        expect(answer.headers.has('keyfare-receipt')).toBe(true);
      }
      const { breaks, report } = await billing.reconcile();
      expect([breaks, report.unchecked, report.entries.complete]).toEqual([[], [], true]);
      const charges = await adminQuery(
        ground.database.url,
        `select rail, included::int, overage::int, unit_price::text, amount::text from billing.charge
          where account = $1 order by place`,
        [account],
      );
      const beyond = { rail: 'key', included: 0, overage: 1, unit_price: '0', amount: '0' };
      expect(charges).toEqual([{ ...beyond, included: 1, overage: 0 }, beyond, beyond]);
      const month = new Date().toISOString().slice(0, 7);
      const { lines } = await billing.post<{ lines: readonly Line[] }>('/invoices', { account, month });
      expect(lines.filter(({ kind }) => kind === 'overage')).toMatchObject([
        { quantity: '2', unitPrice: '0.000000', amount: '0.000000' },
      ]);
    },
    60_000,
  );

  it('is told from a price above it: then the 402 asks that one, and not the route’s', async () => {
    const { secret } = await openAccount(ground, api, { includedUnits: 0, overage: 'x402', overagePrice: '$0.0005' });
    const answer = await callWith(secret);
    const { accepts } = (await answer.json()) as { accepts: readonly { maxAmountRequired: string }[] };
    expect([answer.status, accepts.map(({ maxAmountRequired }) => maxAmountRequired)]).toEqual([402, ['500']]);
  });

  it('is told from none: in a plan of before it meant the route’s own price, and is no price in its view', async () => {
    const { account, secret } = await openAccount(ground, api, { includedUnits: 0, overage: 'reject' });
    await adminQuery(
      ground.database.url,
      `insert into keyfare.plan (id, slug, version, included_units, overage, overage_price, monthly_price, created_at)
        values ('plan_before', 'before', 1, 0, 'x402', 0, 0, now())`,
    );
    const response = await fetch(`${api.url}/admin/accounts/${account}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${await operatorToken(ground, api)}`,
        'content-type': 'application/json',
        'if-match': '*',
      },
      body: JSON.stringify({ plan: 'before' }),
    });
    expect(await response.json()).toMatchObject({ plan: { overage: 'x402', overagePrice: null } });
    const answer = await callWith(secret);
    const { accepts } = (await answer.json()) as { accepts: readonly { maxAmountRequired: string }[] };
    expect([answer.status, accepts.map(({ maxAmountRequired }) => maxAmountRequired)]).toEqual([402, ['1000']]);
  });
});
