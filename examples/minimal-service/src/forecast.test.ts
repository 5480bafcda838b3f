import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestGate, type TestGate } from '@keyfare/testing/gate';

let gate: TestGate;
let url: string;

beforeAll(async () => {
  gate = await startTestGate();
  // Loaded by a function, because `forRoot` reads the environment when the module is loaded.
  ({ url } = await gate.listen(async () => (await import('./app.module.js')).AppModule));
});
afterAll(async () => {
  await gate.stop();
});

it('asks for a payment without a credential', async () => {
  expect((await fetch(`${url}/forecast`)).status).toBe(402);
});

it('serves a wallet that pays, with a receipt', async () => {
  const served = await gate.payer.fetch(`${url}/forecast`);
  expect(served.status).toBe(200);
  expect(await gate.expectReceipt(served)).toMatchObject({ rail: 'x402', amount: '1000', sku: 'forecast' });
  expect(gate.payer.balance).toBe(99_999_000n);
});

it('answers a payment whose settlement hangs with 503, and the same payment with the forecast later', async () => {
  const payer = gate.newPayer();
  const { headers } = await payer.sign(await fetch(`${url}/forecast`));
  gate.chain.hangs();
  expect((await fetch(`${url}/forecast`, { headers })).status).toBe(503);
  gate.chain.settles();
  const served = await gate.untilKnown(() => fetch(`${url}/forecast`, { headers }));
  expect(await served.json()).toEqual({ tomorrow: 'sun' });
  expect(payer.balance).toBe(99_999_000n);
});
