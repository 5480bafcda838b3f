import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { formatKey, parseKey } from '../src/key/key-format.js';
import { KeyService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, verifiedReceipt, withKey } from './requests.js';

const minute = 60_000;

describe('security: keys that are remembered', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  /** How far the gate's clock is ahead. */
  let aheadMs = 0;
  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground, { clock: () => new Date(Date.now() + aheadMs) });
  }, 60_000);
  afterAll(async () => {
    await gate.close();
    await ground.close();
  }, 60_000);

  const codeOf = async (secret: string): Promise<unknown> => (await call(gate, '/ping', withKey(secret))).body['code'];

  it('GHSA-rp9m-7r4c-75qg, CVE-2026-35039 (fast-jwt): no two keys share a place in a cache', async () => {
    const [a, b] = await Promise.all([gate.issueKey(), gate.issueKey()]);
    for (const { secret, key } of [a, b, a, a, b]) {
      const answer = await call(gate, '/ping', withKey(secret));
      expect([answer.status, (await verifiedReceipt(gate, answer)).principal]).toEqual([200, key.accountId]);
    }
    const [first, second] = [parseKey(a.secret), parseKey(b.secret)];
    if (first === null || second === null) throw new Error('the gate issued what it does not read');
    // Both are in the cache now. Every one of these has the checksum that a key must have.
    const mixed = [
      { ...first, secret: second.secret },
      { ...second, secret: first.secret },
      { ...first, environment: 'live' as const },
      // An id may happen to have small letters alone, or none.
      ...[first.id.toLowerCase(), first.id.toUpperCase()].flatMap((id) => (id === first.id ? [] : [{ ...first, id }])),
      { ...first, secret: first.secret.toUpperCase() },
      { ...first, secret: 'A'.repeat(32) },
    ];
    for (const parts of mixed) {
      expect(parseKey(formatKey(parts))).toEqual(parts);
      expect(await codeOf(formatKey(parts))).toBe('credential/unknown');
    }
  });

  it('GHSA-mvf2-f6gm-w987, CVE-2026-34950 (fast-jwt): white space makes no other key of a key', async () => {
    const { secret } = await gate.issueKey();
    for (const text of [
      `x ${secret}`,
      `${secret} x`,
      secret.replace('_', ' _'),
      `${secret}\u00a0`,
      `\u00a0${secret}`,
      `"${secret}"`,
    ]) {
      expect(await codeOf(text)).toBe('credential/malformed');
    }
    expect(await codeOf(secret)).toBeUndefined();
  });

  it('GHSA-x937-hj6v-793p, CVE-2026-107719 (fast-jwt): a remembered key ends when it ends, though nobody asks the database', async () => {
    const { key } = await gate.issueKey();
    const expiresAt = new Date(Date.now() + aheadMs + 10 * minute);
    const { secret } = await gate.app.get(KeyService).issue(key.accountId, { name: 'short', expiresAt });
    expect(await codeOf(secret)).toBeUndefined();
    aheadMs += 10 * minute;
    try {
      expect(await codeOf(secret)).toBe('credential/expired');
    } finally {
      aheadMs = 0;
    }
    expect(await codeOf(secret)).toBeUndefined();
  });

  it('a remembered key is revoked, and stays so', async () => {
    const { key, secret } = await gate.issueKey();
    expect(await codeOf(secret)).toBeUndefined();
    await gate.app.get(KeyService).revoke(key.id);
    // The process hears of it by a notification.
    while ((await codeOf(secret)) === undefined) await new Promise((next) => setImmediate(next));
    for (let again = 0; again < 3; again += 1) expect(await codeOf(secret)).toBe('credential/revoked');
  });
});
