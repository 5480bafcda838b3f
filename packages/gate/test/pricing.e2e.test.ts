import { Problem } from '@keyfare/core/problem';
import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { PricingController } from './pricing-under-test.js';
import { type Answer, call, decodeHeader, rows, settled, signPayment, verifiedReceipt, withKey } from './requests.js';

describe('prices told of each request', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    const env = { CONFIRMATIONS: '0', DEFERRED_AGE_SECONDS: '1', DEFERRED_INTERVAL_MS: '100' };
    gate = await startGate(ground, { controllers: [PricingController], env });
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    PricingController.asked = 0;
    PricingController.runs = 0;
    PricingController.whim = () => '$0.001';
  });

  const entriesOf = (id: unknown): Promise<{ sku: string; units: string }[]> =>
    rows(ground.database.url, 'select sku, units::text as units from keyfare.entry where id = $1', [id]);
  /** The atomic units that a 402 asks for, in each of its versions. */
  const asks = ({ headers, body }: Answer): unknown[] => {
    const [v2] = decodeHeader(headers, 'payment-required')['accepts'] as { amount: string }[];
    const [v1] = body['accepts'] as { maxAmountRequired: string }[];
    return [v2?.amount, v1?.maxAmountRequired];
  };
  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);

  it.each([
    ['authorization', '/pages', 'v1'],
    ['authorization', '/pages', 'v2'],
    ['upfront', '/pages/before', 'v1'],
    ['upfront', '/pages/before', 'v2'],
    ['deferred', '/pages/later', 'v1'],
    ['deferred', '/pages/later', 'v2'],
  ] as const)(
    'the same request has the same price in the 402, the claim, the receipt and the movement (flow %s, %s, x402 %s)',
    async (_flow, path, version) => {
      const before = await paid();
      const asked = await call(gate, `${path}?pages=7`);
      expect([asked.status, asks(asked)]).toEqual([402, ['7000', '7000']]);
      const short = await signPayment(ground, payer, { value: 6_999n });
      expect((await call(gate, `${path}?pages=7`, { headers: short[version] })).body['code']).toBe(
        'payment/mismatched',
      );
      const other = await signPayment(ground, payer, { value: 7_000n });
      const dearer = await call(gate, `${path}?pages=8`, { headers: other[version] });
      expect([dearer.status, dearer.body['code'], asks(dearer)]).toEqual([402, 'payment/mismatched', ['8000', '8000']]);
      PricingController.asked = 0;
      const served = await call(gate, `${path}?pages=7`, { headers: other[version] });
      expect([served.status, PricingController.asked, PricingController.runs]).toEqual([200, 1, 1]);
      expect(await verifiedReceipt(gate, served)).toMatchObject({ amount: '7000', units: 1 });
      expect(await settled(paid, before + 7_000n)).toBe(before + 7_000n);
    },
    20_000,
  );

  it('a price from the body is asked after the body was read, and is that of the claim; units likewise, by key', async () => {
    const post = (pairs: number, headers: Record<string, string> = {}): RequestInit => ({
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ pairs: Array.from({ length: pairs }, () => ['a', 'b']) }),
    });
    const asked = await call(gate, '/pairs', post(30));
    expect([asked.status, asks(asked)]).toEqual([402, ['3000', '3000']]);
    const payment = await signPayment(ground, payer, { value: 3_000n });
    expect((await call(gate, '/pairs', post(31, payment.v2))).status).toBe(402);
    const served = await call(gate, '/pairs', post(30, payment.v2));
    expect([served.status, served.body['pairs']]).toEqual([200, 30]);
    expect(await verifiedReceipt(gate, served)).toMatchObject({ amount: '3000', units: 30, sku: 'pairs' });
    const { secret } = await gate.issueKey({ includedUnits: 50n });
    const byKey = await call(gate, '/pairs', post(40, withKey(secret).headers));
    const receipt = await verifiedReceipt(gate, byKey);
    expect(receipt).toMatchObject({ rail: 'key', units: 40 });
    expect(await entriesOf(receipt.id)).toEqual([{ sku: 'pairs', units: '40' }]);
    const beyond = await call(gate, '/pairs', post(11, withKey(secret).headers));
    expect([beyond.status, beyond.body['code']]).toEqual([429, 'meter/exhausted']);
    expect((await call(gate, '/pairs', post(10, withKey(secret).headers))).status).toBe(200);
  }, 20_000);

  it('beyond a plan the units that a function tells are paid for at the price of the plan', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 5n, overage: 'x402', overagePrice: 70n });
    const body = JSON.stringify({ pairs: Array.from({ length: 6 }, () => ['a', 'b']) });
    const headers = { 'content-type': 'application/json', ...withKey(secret).headers };
    const asked = await call(gate, '/pairs', { method: 'POST', headers, body });
    expect([asked.status, asks(asked)]).toEqual([402, ['420', '420']]);
    const { v2 } = await signPayment(ground, payer, { value: 420n });
    const served = await call(gate, '/pairs', { method: 'POST', headers: { ...headers, ...v2 }, body });
    expect(await verifiedReceipt(gate, served)).toMatchObject({ amount: '420', units: 6, rail: 'x402' });
  });

  it('a body that cannot be read, does not fit, or is too large is 400 or 413 without a price, for a stranger too', async () => {
    const post = async (body: string, type = 'application/json'): Promise<unknown[]> => {
      const answer = await call(gate, '/pairs', { method: 'POST', headers: { 'content-type': type }, body });
      return [answer.status, answer.body['code'], answer.headers.has('payment-required')];
    };
    expect(await post('{"pairs":')).toEqual([400, 'request/malformed', false]);
    expect(await post('{"__proto__":{"pairs":[]}}')).toEqual([400, 'request/malformed', false]);
    expect(await post('{"pairs":7}')).toEqual([400, 'request/invalid', false]);
    expect(await post('null')).toEqual([400, 'request/invalid', false]);
    expect(await post('{"pairs":[],"also":1}')).toEqual([400, 'request/invalid', false]);
    expect(await post('x=1', 'application/x-unknown')).toEqual([415, 'request/unsupported-media-type', false]);
    expect(await post(`{"pairs":["${'x'.repeat(1_100_000)}"]}`)).toEqual([413, 'request/too-large', false]);
    expect(await call(gate, '/pairs', { method: 'POST' })).toMatchObject({ status: 400 });
    // The schema lets it through, and the lowest price does not.
    expect(await post('{"pairs":[]}')).toEqual([500, 'tariff/failed', false]);
    expect(PricingController.runs).toBe(0);
  });

  it('where the price does not depend on the body, a stranger is told it whatever the body is', async () => {
    const asked = await call(gate, '/posted', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"not":',
    });
    expect([asked.status, asks(asked)]).toEqual([402, ['3000', '3000']]);
  });

  it('a refusal that the price throws leaves as it is, and costs nothing', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 1n });
    for (const query of [
      '',
      '?pages=',
      '?pages=1&pages=2',
      '?pages=%20',
      '?pages=__proto__',
      '?pages[]=1',
      '?Pages=1',
    ]) {
      const answer = await call(gate, `/pages${query}`, withKey(secret));
      expect([query, answer.status, answer.body['detail']]).toEqual([query, 400, 'pages must be a number']);
      expect(answer.headers.has('keyfare-receipt')).toBe(false);
    }
    expect((await call(gate, '/pages?pages=0')).body).toMatchObject({ status: 400, code: 'request/invalid' });
    expect(PricingController.runs).toBe(0);
    expect((await call(gate, '/pages?pages=9', withKey(secret))).status).toBe(200);
  });

  it.each<[string, () => unknown]>([
    ['beyond the maximum', () => '$0.050001'],
    ['nothing', () => '$0'],
    ['without a dollar sign', () => '0.001'],
    ['negative', () => '$-1'],
    ['a number', () => 0.001],
    ['not a number', () => Number.NaN],
    ['undefined', () => undefined],
    ['another asset', () => ({ asset: 'USDC', atomic: 1_000n })],
    ['a promise', () => Promise.resolve('$0.001')],
    ['a promise that fails', () => Promise.reject(new Error('too late'))],
    [
      'an error',
      () => {
        throw new TypeError('private words');
      },
    ],
    [
      'a 402 without offers',
      () => {
        throw new Problem('payment/required');
      },
    ],
    [
      'no error at all',
      () => {
        throw undefined;
      },
    ],
  ])(
    'a price that is %s is 500 tariff/failed: logged, not charged, and nobody is asked to pay',
    async (_what, whim) => {
      const { secret } = await gate.issueKey({ includedUnits: 1n });
      PricingController.whim = whim;
      const { v2 } = await signPayment(ground, payer);
      gate.lines.length = 0;
      for (const path of ['/whim', '/unit-whim']) {
        for (const init of [{}, { headers: v2 }, withKey(secret)]) {
          const answer = await call(gate, path, init);
          expect([answer.status, answer.body['code']]).toEqual([500, 'tariff/failed']);
          expect(answer.headers.has('payment-required')).toBe(false);
          expect(JSON.stringify(answer.body)).not.toContain('private words');
        }
      }
      expect(PricingController.runs).toBe(0);
      expect(
        gate.lines.filter((line) => line.includes('"level":"error"') && line.includes('tariff/failed')),
      ).toHaveLength(6);
      PricingController.whim = () => '$0.001';
      expect((await call(gate, '/whim', withKey(secret))).status).toBe(200);
      expect((await call(gate, '/whim', { headers: v2 })).status).toBe(200);
    },
  );

  it('a price that changes between the 402 and the claim is a fresh 402; once the call was served, the answer again', async () => {
    const { v2, nonce } = await signPayment(ground, payer);
    expect(asks(await call(gate, '/whim'))).toEqual(['1000', '1000']);
    PricingController.whim = () => '$0.002';
    const dearer = await call(gate, '/whim', { headers: v2 });
    expect([dearer.status, dearer.body['code'], asks(dearer)]).toEqual([402, 'payment/mismatched', ['2000', '2000']]);
    expect(await rows(ground.database.url, 'select 1 from keyfare.payment where nonce = $1', [nonce])).toEqual([]);
    PricingController.whim = () => '$0.001';
    const before = await paid();
    expect((await call(gate, '/whim', { headers: v2 })).status).toBe(200);
    PricingController.whim = () => '$0.003';
    const again = await call(gate, '/whim', { headers: v2 });
    expect([again.status, again.headers.get('idempotent-replay')]).toEqual([200, 'true']);
    const { 'idempotency-key': _owner, ...bare } = v2;
    expect((await call(gate, '/whim', { headers: bare })).body['code']).toBe('payment/served');
    expect((await call(gate, '/whim?other', { headers: v2 })).body['code']).toBe('payment/replayed');
    expect([PricingController.runs, await paid()]).toEqual([1, before + 1_000n]);
  });

  it('a request chooses its sku: price, units, scope, entry and receipt are those of the chosen one', async () => {
    const prices = async (path: string): Promise<unknown> => asks(await call(gate, path))[0];
    expect(await prices('/forecast')).toBe('1000');
    expect(await prices('/forecast?granularity=daily')).toBe('1000');
    expect(await prices('/forecast?granularity=hourly')).toBe('4000');
    expect(await prices('/forecast?granularity=days&days=9')).toBe('9000');
    expect(await prices('/sizes/l')).toBe('2000');
    expect(await prices('/chosen?n=two')).toBe('2000');
    const { secret } = await gate.issueKey({ includedUnits: 100n, scopes: ['forecast'] });
    expect((await call(gate, '/forecast', withKey(secret))).status).toBe(200);
    const refused = await call(gate, '/forecast?granularity=hourly', withKey(secret));
    expect([refused.status, refused.body['code']]).toEqual([403, 'policy/forbidden']);
    const { secret: other } = await gate.issueKey({ includedUnits: 100n, scopes: ['forecast.hourly'] });
    const byKey = await call(gate, '/forecast?granularity=hourly', withKey(other));
    const receipt = await verifiedReceipt(gate, byKey);
    expect(receipt).toMatchObject({ sku: 'forecast.hourly', units: 4 });
    expect(await entriesOf(receipt.id)).toEqual([{ sku: 'forecast.hourly', units: '4' }]);
    const { v1 } = await signPayment(ground, payer, { value: 4_000n });
    const byWallet = await call(gate, '/forecast?granularity=hourly', { headers: v1 });
    expect(await verifiedReceipt(gate, byWallet)).toMatchObject({ sku: 'forecast.hourly', units: 4, amount: '4000' });
    const later = await signPayment(ground, payer, { value: 2_000n });
    const large = await call(gate, '/sizes/l', { headers: later.v2 });
    expect(await verifiedReceipt(gate, large)).toMatchObject({ sku: 'large', settlement: 'deferred' });
  });

  it('a choice that is not declared is 400 tariff/unknown-choice, whatever its spelling, and says what there is', async () => {
    const queries = ['granularity=', 'granularity=Hourly', 'granularity=__proto__', 'granularity=constructor'];
    const twice = 'granularity=daily&granularity=hourly';
    for (const query of [...queries, twice, 'granularity=forecast.hourly', 'granularity=hourly%20']) {
      const { status, body, headers } = await call(gate, `/forecast?${query}`);
      expect([query, status, body['code']]).toEqual([query, 400, 'tariff/unknown-choice']);
      expect(body['detail']).toBe('Choose by "granularity": daily, hourly, days.');
      expect(headers.has('payment-required')).toBe(false);
    }
    for (const path of ['/sizes/m', '/sizes/toString', '/chosen', '/chosen?n=three', '/chosen?n=toString']) {
      expect((await call(gate, path)).body).toMatchObject({ status: 400, code: 'tariff/unknown-choice' });
    }
    expect((await call(gate, '/chosen?n=one&n=two')).body).toMatchObject({ status: 500, code: 'tariff/failed' });
    expect(PricingController.runs).toBe(0);
  });
});
