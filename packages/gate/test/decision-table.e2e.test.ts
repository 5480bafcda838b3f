import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate, TestController } from './gate-under-test.js';
import { call, decodeHeader, rows, settled, signPayment, verifiedReceipt, withKey } from './requests.js';

/**
 * Which credential wins: the rows of the table in docs/decisions/0003, by name. Those on a payment that was presented
 * before are in decision-table-again.e2e.test.ts.
 */
describe('which credential wins', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let payer: TestPayer;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    payer = await fundedPayer(ground.chain, 1);
  }, 30_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 30_000);
  beforeEach(() => {
    TestController.work.runs = 0;
  });

  const paid = async (): Promise<bigint> => usdcBalance(ground.chain.rpcUrl, ground.payTo);
  const claims = async (): Promise<number> => {
    const [row] = await rows<{ count: number }>(
      ground.database.url,
      'select count(*)::int as count from keyfare.payment',
    );
    return row?.count ?? -1;
  };

  it('no key, no payment: 402 with the offer for version 2 in the header and for version 1 in the body', async () => {
    const answer = await call(gate, '/ping');
    expect(answer.status).toBe(402);
    expect(answer.body).toMatchObject({ code: 'payment/required', x402Version: 1 });
    expect(answer.body['accepts']).toEqual([
      expect.objectContaining({ scheme: 'exact', network: 'base-sepolia', maxAmountRequired: '1000' }),
    ]);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const offer = decodeHeader(answer.headers, 'payment-required');
    expect(offer).toMatchObject({ x402Version: 2, resource: { url: 'http://api.test/ping' } });
    expect(offer['accepts']).toEqual([expect.objectContaining({ network: 'eip155:84532', amount: '1000' })]);
    expect(TestController.work.runs).toBe(0);
  });

  it('a valid key with allowance left: served on the rail key, with a receipt that verifies', async () => {
    const { secret, key } = await gate.issueKey();
    const answer = await call(gate, '/ping', withKey(secret));
    expect(answer.status).toBe(200);
    const receipt = await verifiedReceipt(gate, answer);
    expect(receipt).toMatchObject({ rail: 'key', principal: key.accountId, sku: 'ping', units: 1, status: 200 });
    expect(receipt.resourceUrl).toBe('http://api.test/ping');
    const stored = await fetch(`${gate.url}/receipts/${receipt.id}`);
    expect(await stored.text()).toBe(answer.headers.get('keyfare-receipt'));
  });

  it('a valid key and a payment: served on the rail key; the payment is not claimed and not charged', async () => {
    const { secret } = await gate.issueKey();
    const before = [await claims(), await paid()];
    const { v2 } = await signPayment(ground, payer);
    const answer = await call(gate, '/ping', { headers: { ...withKey(secret).headers, ...v2 } });
    expect(answer.status).toBe(200);
    expect((await verifiedReceipt(gate, answer)).rail).toBe('key');
    expect([await claims(), await paid()]).toEqual(before);
    const later = await call(gate, '/ping', { headers: v2 });
    expect(later.status).toBe(200);
  });

  it('a valid key, allowance gone, plan says reject: 429 with the reset time, whatever payment came along', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 1n, overage: 'reject' });
    expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    const { v2 } = await signPayment(ground, payer);
    const before = await claims();
    for (const headers of [withKey(secret).headers, { ...withKey(secret).headers, ...v2 }]) {
      const answer = await call(gate, '/ping', { headers });
      expect(answer.status).toBe(429);
      expect(answer.body['code']).toBe('meter/exhausted');
      const resetAt = new Date(String(answer.body['resetAt']));
      expect(resetAt.getUTCDate()).toBe(1);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(TestController.work.runs).toBe(1);
    expect(await claims()).toBe(before);
  });

  it('a valid key, allowance gone, plan says invoice: served and counted beyond the included units', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 1n, overage: 'invoice', overagePrice: 500n });
    for (let index = 0; index < 3; index += 1) expect((await call(gate, '/ping', withKey(secret))).status).toBe(200);
    const found = async () => {
      const sql = 'select used, limit_units from keyfare.allowance where account_id = $1';
      return JSON.stringify(await rows(ground.database.url, sql, [key.accountId]));
    };
    const counted = JSON.stringify([{ used: '3', limit_units: null }]);
    expect(await settled(found, counted)).toBe(counted);
  });

  it('a valid key, allowance gone, plan says x402, no payment: 402 offering the overage price', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 700n });
    const answer = await call(gate, '/ping', withKey(secret));
    expect(answer.status).toBe(402);
    expect(decodeHeader(answer.headers, 'payment-required')['accepts']).toEqual([
      expect.objectContaining({ amount: '700' }),
    ]);
  });

  it('a valid key, allowance gone, plan says x402, a valid payment: served on the rail x402, linked to the account', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 700n });
    const { v2 } = await signPayment(ground, payer, { value: 700n });
    const answer = await call(gate, '/ping', { headers: { ...withKey(secret).headers, ...v2 } });
    expect(answer.status).toBe(200);
    expect(await verifiedReceipt(gate, answer)).toMatchObject({ rail: 'x402', account: key.accountId, amount: '700' });
    const usage = await rows(
      ground.database.url,
      `select rail, case rail when 'key' then principal else account_id end as account_id, key_id from keyfare.entry where id = $1`,
      [answer.headers.get('receipt-id')],
    );
    expect(usage).toEqual([{ rail: 'x402', account_id: key.accountId, key_id: key.id }]);
  });

  it('a valid key, allowance gone, plan says x402, a bad payment: 402 with the overage price and a stable code', async () => {
    const { secret } = await gate.issueKey({ includedUnits: 0n, overage: 'x402', overagePrice: 700n });
    const stranger = testPayer(77);
    const cases = [
      [await signPayment(ground, payer, { value: 1_000n }), 'payment/mismatched'],
      [await signPayment(ground, stranger, { from: payer.address, value: 700n }), 'payment/invalid-signature'],
      [await signPayment(ground, stranger, { value: 700n }), 'payment/insufficient-funds'],
    ] as const;
    const before = await claims();
    for (const [{ v2 }, code] of cases) {
      const answer = await call(gate, '/ping', { headers: { ...withKey(secret).headers, ...v2 } });
      expect([answer.status, answer.body['code']]).toEqual([402, code]);
      expect(decodeHeader(answer.headers, 'payment-required')['accepts']).toEqual([
        expect.objectContaining({ amount: '700' }),
      ]);
    }
    expect(TestController.work.runs).toBe(0);
    expect(await settled(claims, before)).toBe(before);
  });

  it.each([
    ['malformed', 'kf_test_nonsense', 'credential/malformed'],
    ['of one changed letter', 'changed', 'credential/malformed'],
    ['unknown', 'kf_test_000000000000_00000000000000000000000000000000_', 'credential/malformed'],
  ])(
    'a key that is %s, and a payment: 401 without a challenge, and the payment is untouched',
    async (_name, key, code) => {
      const { secret } = await gate.issueKey();
      const bad =
        key === 'changed' ? `${secret.slice(0, 20)}${secret[20] === 'a' ? 'b' : 'a'}${secret.slice(21)}` : key;
      const before = await claims();
      const { v2 } = await signPayment(ground, payer);
      const answer = await call(gate, '/ping', { headers: { 'x-api-key': bad, ...v2 } });
      expect(answer.status).toBe(401);
      expect(answer.body['code']).toBe(code);
      expect(answer.headers.has('payment-required')).toBe(false);
      expect(answer.headers.get('www-authenticate')).toContain('invalid_token');
      expect(await claims()).toBe(before);
      expect(TestController.work.runs).toBe(0);
    },
  );

  it('an unknown, a revoked and an expired key, and a payment: 401, and the payment is untouched', async () => {
    const { KeyService } = await import('../src/services.js');
    const { formatKey, generateKey } = await import('../src/key/key-format.js');
    const keys = gate.app.get(KeyService);
    const revoked = await gate.issueKey();
    await keys.revoke(revoked.key.id);
    const { key } = await gate.issueKey();
    const expired = await keys.issue(key.accountId, { name: 'old' });
    await rows(ground.database.url, 'update keyfare.api_key set expires_at = now() where id = $1', [expired.key.id]);
    const cases = [
      [formatKey(generateKey('test')), 'credential/unknown'],
      [revoked.secret, 'credential/revoked'],
      [expired.secret, 'credential/expired'],
    ] as const;
    const before = await claims();
    for (const [secret, code] of cases) {
      const { v2 } = await signPayment(ground, payer);
      const answer = await call(gate, '/ping', { headers: { ...withKey(secret).headers, ...v2 } });
      expect([answer.status, answer.body['code']]).toEqual([401, code]);
      expect(answer.headers.has('payment-required')).toBe(false);
    }
    expect(await claims()).toBe(before);
  });

  it('two different keys, or a key in the query string: 400', async () => {
    const one = await gate.issueKey();
    const two = await gate.issueKey();
    const both = await call(gate, '/ping', {
      headers: { authorization: `Bearer ${one.secret}`, 'x-api-key': two.secret },
    });
    expect([both.status, both.body['code']]).toEqual([400, 'credential/ambiguous']);
    const same = await call(gate, '/ping', {
      headers: { authorization: `Bearer ${one.secret}`, 'x-api-key': one.secret },
    });
    expect(same.status).toBe(200);
    for (const query of [`?api_key=${one.secret}`, `?a=1&b=${encodeURIComponent(one.secret).replace('k', '%6b')}`]) {
      const answer = await call(gate, `/ping${query}`, withKey(one.secret));
      expect([answer.status, answer.body['code']]).toEqual([400, 'credential/in-query']);
    }
  });

  it('an undecodable payment, or an unknown version: 400', async () => {
    for (const [headers, code] of [
      [{ 'payment-signature': '%%%' }, 'payment/malformed'],
      [{ 'x-payment': Buffer.from('{}').toString('base64') }, 'payment/malformed'],
      [{ 'payment-signature': Buffer.from('{"x402Version":7}').toString('base64') }, 'payment/unsupported-version'],
    ] as const) {
      const answer = await call(gate, '/ping', { headers });
      expect([answer.status, answer.body['code']]).toEqual([400, code]);
    }
  });

  it('a valid payment of either version: verified, claimed, settled, served, with a receipt that verifies', async () => {
    const cases = [
      { version: 2, header: 'payment-response', network: 'eip155:84532' },
      { version: 1, header: 'x-payment-response', network: 'base-sepolia' },
    ] as const;
    for (const { version, header, network } of cases) {
      const before = await paid();
      const { v1, v2, nonce } = await signPayment(ground, payer);
      const answer = await call(gate, '/ping', { headers: version === 2 ? v2 : v1 });
      expect(answer.status).toBe(200);
      expect(await paid()).toBe(before + 1_000n);
      const receipt = await verifiedReceipt(gate, answer);
      const response = decodeHeader(answer.headers, header);
      expect(response).toMatchObject({ success: true, network, payer: payer.address.toLowerCase() });
      expect(receipt).toMatchObject({
        rail: 'x402',
        payer: payer.address.toLowerCase(),
        amount: '1000',
        decimals: 6,
        nonce,
        settlement: 'settled',
        transaction: response['transaction'],
      });
      // The receipt travels once, in its own header.
      expect(response['extensions']).toBeUndefined();
    }
  });

  it('an invalid payment: 402 with fresh requirements and a stable code', async () => {
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const stranger = testPayer(77);
    const cases = [
      [await signPayment(ground, payer, { value: 999n }), 'payment/mismatched'],
      [await signPayment(ground, payer, { to: testPayer(9).address }), 'payment/mismatched'],
      [await signPayment(ground, payer, { validBefore: now - 5n }), 'payment/expired'],
      [await signPayment(ground, payer, { validAfter: now + 600n }), 'payment/not-yet-valid'],
      [await signPayment(ground, stranger, { from: payer.address }), 'payment/invalid-signature'],
      [await signPayment(ground, stranger), 'payment/insufficient-funds'],
    ] as const;
    const before = await claims();
    for (const [{ v2 }, code] of cases) {
      const answer = await call(gate, '/ping', { headers: v2 });
      expect([answer.status, answer.body['code']]).toEqual([402, code]);
      expect(decodeHeader(answer.headers, 'payment-required')['accepts']).toHaveLength(1);
    }
    expect(TestController.work.runs).toBe(0);
    expect(await settled(claims, before)).toBe(before);
  });

  it('a denied call costs nothing: no units, no money, no receipt', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 10n });
    const before = await paid();
    const { v2 } = await signPayment(ground, payer, { value: 2_000n });
    const bad = { method: 'POST', body: '{"text":7}' };
    for (const headers of [withKey(secret).headers, v2]) {
      const answer = await call(gate, '/echo', { ...bad, headers: { ...headers, 'content-type': 'application/json' } });
      expect([answer.status, answer.body['code']]).toEqual([400, 'request/invalid']);
      expect(answer.headers.has('keyfare-receipt')).toBe(false);
    }
    expect((await call(gate, '/fail/thrown', withKey(secret))).status).toBe(500);
    const used = await rows(ground.database.url, 'select used from keyfare.allowance where account_id = $1', [
      key.accountId,
    ]);
    expect(used).toEqual([{ used: '0' }]);
    expect(await paid()).toBe(before);
    const good = { method: 'POST', body: '{"text":"now"}', headers: { ...v2, 'content-type': 'application/json' } };
    expect(await settled(async () => (await call(gate, '/echo', good)).status, 200)).toBe(200);
  });
});
