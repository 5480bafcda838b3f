import { fundedPayer, type TestPayer } from '@keyfare/devstack/payers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, raw, rows, signPayment, withKey } from './requests.js';

/** DESIGN: a bad key never falls through to payment. Each with a payment that would have been taken. */
describe('a key that is badly presented', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;
  let secret: string;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    payer = await fundedPayer(ground.chain, 1);
    ({ secret } = await gate.issueKey());
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  const untouched = async (): Promise<boolean> =>
    (await rows(ground.database.url, 'select 1 from keyfare.payment')).length === 0;

  it.each([
    ['without a scheme', (key: string) => ({ authorization: key })],
    ['under the scheme ApiKey', (key: string) => ({ authorization: `ApiKey ${key}` })],
    ['under the scheme Token', (key: string) => ({ authorization: `Token ${key}` })],
    ['as a user name', (key: string) => ({ authorization: `Basic ${btoa(`${key}:`)}` })],
    ['without a space after Bearer', (key: string) => ({ authorization: `Bearer${key}` })],
    ['as an empty Bearer', () => ({ authorization: 'Bearer' })],
    ['as an empty X-API-Key', () => ({ 'x-api-key': '' })],
    ['as any other token', () => ({ authorization: 'Bearer sesame' })],
  ])('%s is 401, and the payment that came along is not touched', async (_how, headers) => {
    TestController.work.runs = 0;
    const { v2 } = await signPayment(ground, payer);
    const answer = await call(gate, '/ping', { headers: { ...v2, ...headers(secret) } });
    expect([answer.status, answer.body['code']]).toEqual([401, 'credential/malformed']);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(answer.headers.has('payment-required')).toBe(false);
    expect(await untouched()).toBe(true);
    expect(TestController.work.runs).toBe(0);
  });

  it('in two Authorization headers is 400, whichever of them is good', async () => {
    for (const values of [
      [secret, 'kf_test_bad'],
      ['kf_test_bad', secret],
    ]) {
      const lines = values.map((value) => `Authorization: Bearer ${value}\r\n`).join('');
      const answer = await raw(gate, `GET /ping HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('credential/ambiguous');
    }
  });

  it.each([
    ['alone', (key: string) => `?${key}`],
    ['as a name', (key: string) => `?${key}=1`],
    ['behind an escape that is none', (key: string) => `?a=%zz&k=${key.replace('kf_', 'k%66_')}`],
  ])('in the query %s is 400, even beside a good one', async (_how, query) => {
    const answer = await call(gate, `/ping${query(secret)}`, withKey(secret));
    expect([answer.status, answer.body['code']]).toEqual([400, 'credential/in-query']);
  });
});
