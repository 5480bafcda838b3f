import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { startTestGate, type TestGate } from '../src/gate.js';
import { TeamModule } from './team.module.js';

let gate: TestGate;
let url: string;

beforeAll(async () => {
  gate = await startTestGate({ settleTimeoutMs: 5_000 });
  ({ url } = await gate.listen(TeamModule, { logger: false }));
}, 120_000);
afterAll(async () => await gate.stop());
beforeEach(() => {
  gate.chain.settles();
});

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { code: unknown }).code;
}

describe('the tests of another team, with the kit', () => {
  it('a priced route is 402 without a credential, and a free one 200', async () => {
    const refused = await fetch(`${url}/forecast`);
    expect([refused.status, await codeOf(refused)]).toEqual([402, 'payment/required']);
    expect((await fetch(`${url}/about`)).status).toBe(200);
  });

  it('a key gets 200, its unit is counted, and the receipt verifies', async () => {
    const key = await gate.issueKey({ includedUnits: 3 });
    const served = await key.fetch(`${url}/forecast`);
    expect(served.status).toBe(200);
    expect(await gate.expectReceipt(served)).toMatchObject({ rail: 'key', principal: key.accountId, units: 1 });
    expect(await gate.unitsLeft(key)).toBe(2n);
    expect(await served.json()).toEqual({ tomorrow: 'sun' });
  });

  it('a wallet pays the price once and gets 200 with a receipt of the payment', async () => {
    const payer = gate.newPayer({ usdc: '1' });
    const served = await payer.fetch(`${url}/forecast`);
    expect(served.status).toBe(200);
    const receipt = await gate.expectReceipt(served);
    expect(receipt).toMatchObject({ rail: 'x402', payer: payer.address.toLowerCase(), amount: '10000' });
    expect(payer.balance).toBe(990_000n);
    expect(gate.chain.balanceOf(gate.env['PAY_TO'] as `0x${string}`)).toBeGreaterThanOrEqual(10_000n);
    const entries = await gate.entries();
    expect(entries.filter(({ principal }) => principal === payer.address.toLowerCase())).toMatchObject([
      { kind: 'call', rail: 'x402', sku: 'forecast' },
    ]);
  });

  it('a wallet without money gets 402 and nothing moves', async () => {
    const poor = gate.newPayer({ usdc: '0.009999' });
    const refused = await poor.fetch(`${url}/forecast`);
    expect([refused.status, await codeOf(refused)]).toEqual([402, 'payment/insufficient-funds']);
    expect(poor.balance).toBe(9_999n);
  });

  it('the call after the last unit is 429, and the next month begins anew', async () => {
    const key = await gate.issueKey({ includedUnits: 1 });
    expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
    const refused = await key.fetch(`${url}/forecast`);
    expect([refused.status, await codeOf(refused)]).toEqual([429, 'meter/exhausted']);
    expect(await gate.unitsLeft(key)).toBe(0n);
    gate.clock.nextMonth();
    expect(await gate.unitsLeft(key)).toBe(1n);
    const seconds = (): number => Math.floor(gate.clock().getTime() / 1_000);
    const before = seconds();
    const again = await key.fetch(`${url}/forecast`);
    expect(again.status).toBe(200);
    const { issuedAt } = await gate.expectReceipt(again);
    expect(issuedAt).toBeGreaterThanOrEqual(before);
    expect(issuedAt).toBeLessThanOrEqual(seconds());
  });

  it('a handler that throws costs neither a unit nor a payment', async () => {
    const key = await gate.issueKey({ includedUnits: 1 });
    expect((await key.fetch(`${url}/forecast?fail`)).status).toBe(500);
    expect(await gate.unitsLeft(key)).toBe(1n);
    const payer = gate.newPayer();
    expect((await payer.fetch(`${url}/forecast?fail`)).status).toBe(500);
    expect(payer.balance).toBe(100_000_000n);
  });

  it('a payment whose settlement hangs is 503, and the same payment is 200 when the chain goes on', async () => {
    const payer = gate.newPayer();
    gate.chain.hangs();
    const payment = await payer.sign(await fetch(`${url}/forecast`));
    const unknown = await fetch(`${url}/forecast`, { headers: payment.headers });
    expect([unknown.status, await codeOf(unknown)]).toEqual([503, 'payment/outcome-unknown']);
    expect([gate.chain.waiting, payer.balance]).toEqual([1, 100_000_000n]);
    gate.chain.settles();
    const served = await gate.untilKnown(() => fetch(`${url}/forecast`, { headers: payment.headers }));
    expect(served.status).toBe(200);
    expect(await gate.expectReceipt(served)).toMatchObject({ rail: 'x402', nonce: payment.nonce });
    expect(payer.balance).toBe(100_000_000n - payment.amount);
  });

  it('a payment whose settlement reverts is 503 while its authorization may still be used, then 402, and moves nothing', async () => {
    const payer = gate.newPayer();
    const payment = await payer.sign(await fetch(`${url}/forecast`));
    gate.chain.reverts();
    const unknown = await fetch(`${url}/forecast`, { headers: payment.headers });
    expect([unknown.status, await codeOf(unknown)]).toEqual([503, 'payment/outcome-unknown']);
    gate.clock.advance('10 minutes');
    gate.chain.mine();
    const failed = await gate.untilKnown(() => fetch(`${url}/forecast`, { headers: payment.headers }));
    expect([failed.status, await codeOf(failed)]).toEqual([402, 'payment/failed']);
    expect(payer.balance).toBe(100_000_000n);
  });

  it('a node that does not answer is 503 before any work, and keys are served on', async () => {
    const payer = gate.newPayer();
    const key = await gate.issueKey();
    const payment = await payer.sign(await fetch(`${url}/forecast`));
    gate.chain.leaves();
    try {
      const refused = await fetch(`${url}/forecast`, { headers: payment.headers });
      expect(refused.status).toBe(503);
      expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
    } finally {
      gate.chain.returns();
    }
    expect((await gate.untilKnown(() => fetch(`${url}/forecast`, { headers: payment.headers }))).status).toBe(200);
  });

  it('a key that has run out by the clock is 401', async () => {
    const key = await gate.issueKey({ expiresAt: new Date(gate.clock().getTime() + 3_600_000) });
    expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
    gate.clock.advance('1 hour');
    const refused = await key.fetch(`${url}/forecast`);
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'credential/expired']);
  });

  it('a plan that sells overage to wallets asks for a payment behind its last unit', async () => {
    const key = await gate.issueKey({ includedUnits: 0, overage: 'x402', overagePrice: '$0.02' });
    const payer = gate.newPayer();
    const served = await payer.fetch(`${url}/forecast`, { headers: key.headers });
    expect(served.status).toBe(200);
    expect(payer.balance).toBe(100_000_000n - 20_000n);
  });

  it('expectReceipt refuses an answer without a receipt, and a receipt of another body', async () => {
    await expect(gate.expectReceipt(await fetch(`${url}/about`))).rejects.toThrow('without a receipt');
    const key = await gate.issueKey();
    const served = await key.fetch(`${url}/forecast`);
    const forged = new Response('{"tomorrow":"rain"}', { status: 200, headers: served.headers });
    await expect(gate.expectReceipt(forged)).rejects.toThrow('of another body');
  });
});

describe('what the kit keeps from a test', () => {
  it('two gates of one file share nothing: a key of one is unknown at the other', async () => {
    const other = await startTestGate();
    try {
      const { url: elsewhere } = await other.listen(TeamModule, { logger: false });
      const key = await gate.issueKey();
      expect((await fetch(`${elsewhere}/forecast`, { headers: key.headers })).status).toBe(401);
      expect((await other.payer.fetch(`${elsewhere}/forecast`)).status).toBe(200);
    } finally {
      await other.stop();
    }
  }, 60_000);

  it('two applications of one gate are two processes of one service: they share allowances', async () => {
    const second = await gate.listen(TeamModule, { logger: false });
    const key = await gate.issueKey({ includedUnits: 1 });
    expect((await key.fetch(`${url}/forecast`)).status).toBe(200);
    expect((await key.fetch(`${second.url}/forecast`)).status).toBe(429);
    await second.close();
  });

  it('what only an application can do is refused before one listens', async () => {
    const idle = await startTestGate();
    await expect(idle.issueKey()).rejects.toThrow('await gate.listen(AppModule) first');
    await idle.stop();
  });
});
