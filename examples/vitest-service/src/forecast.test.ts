import { startTestGate } from '@keyfare/testing/gate';
import { afterAll, expect, it } from 'vitest';
import { AppModule } from './app.module.js';

const gate = await startTestGate();
const { url } = await gate.listen(AppModule);
afterAll(async () => {
  await gate.stop();
});

it('asks for a payment without a credential', async () => {
  expect((await fetch(`${url}/forecast`)).status).toBe(402);
});

it('serves a wallet that pays, with a receipt', async () => {
  const served = await gate.payer.fetch(`${url}/forecast`);
  expect(await gate.expectReceipt(served)).toMatchObject({ rail: 'x402', amount: '1000' });
});
