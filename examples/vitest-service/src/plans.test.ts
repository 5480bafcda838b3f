import { startTestGate } from '@keyfare/testing/gate';
import { afterAll, expect, it } from 'vitest';
import { AppModule } from './app.module.js';

const gate = await startTestGate();
const { url } = await gate.listen(AppModule);
afterAll(async () => {
  await gate.stop();
});

it('serves a key what its plan includes, and refuses the call after that', async () => {
  const key = await gate.issueKey({ includedUnits: 1 });
  expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
  expect((await key.fetch(`${url}/forecast`)).status).toBe(429);
});
