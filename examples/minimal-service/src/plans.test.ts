import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestGate, type TestGate } from '@keyfare/testing/gate';

let gate: TestGate;
let url: string;

beforeAll(async () => {
  gate = await startTestGate();
  ({ url } = await gate.listen(async () => (await import('./app.module.js')).AppModule));
});
afterAll(async () => {
  await gate.stop();
});

it('serves a key what its plan includes, refuses the call after that, and begins anew with the month', async () => {
  const key = await gate.issueKey({ includedUnits: 1, overage: 'reject' });
  const served = await key.fetch(`${url}/forecast`);
  expect(await gate.expectReceipt(served)).toMatchObject({ rail: 'key', principal: key.accountId });
  expect((await key.fetch(`${url}/forecast`)).status).toBe(429);
  gate.clock.advance('1 month');
  expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
  expect(await gate.unitsLeft(key)).toBe(0n);
});
