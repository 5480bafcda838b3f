import { generateKeyPairSync } from 'node:crypto';
import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, withKey } from './requests.js';

describe('a signing key', () => {
  let ground: Ground;
  let gate: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
  });
  afterAll(async () => {
    await gate.close();
    await ground.close();
  });

  it('that is new is shown by every process before it signs, and old receipts still verify', async () => {
    const { secret } = await gate.issueKey();
    const old = await call(gate, '/ping', withKey(secret));
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    // Asked all the while, so that the keys of before are remembered at any moment.
    const enough = new AbortController();
    const asked = (async () => {
      while (!enough.signal.aborted) {
        await call(gate, '/.well-known/jwks.json');
        await new Promise((wake) => setTimeout(wake, 10));
      }
    })();
    const next = await startGate(ground, { env: { RECEIPT_SIGNING_KEY: pem } });
    const fresh = await call(next, '/ping', withKey(secret));
    const jwks = parseJwks((await call(gate, '/.well-known/jwks.json')).body);
    enough.abort();
    await asked;
    await next.close();
    expect(jwks.keys).toHaveLength(2);
    for (const { headers } of [old, fresh]) {
      expect(verifyReceipt(headers.get('keyfare-receipt') ?? '', jwks)).toMatchObject({ ok: true });
    }
  });
});
