import { expect, it } from '@jest/globals';
import { measureBulkGas } from './bulk-gas.js';
import { startTestChain } from './chain.js';

it('a payment in a batch of 100 costs at most 0.62 of the gas of one settled alone', async () => {
  const chain = await startTestChain();
  try {
    const { single, batch, ratio } = await measureBulkGas(chain);
    expect(batch / single).toBe(ratio);
    expect(ratio).toBeLessThanOrEqual(0.62);
    expect(ratio).toBeGreaterThan(0.4); // an SSTORE of a new nonce alone is a quarter: less would be no payment
  } finally {
    await chain.kill();
  }
}, 120_000);
