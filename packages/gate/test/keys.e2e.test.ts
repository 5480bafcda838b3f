import { randomBytes } from 'node:crypto';
import { SqlPool } from '@keyfare/db/sql';
import { patience } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { KeyUses } from '../src/key/key-uses.js';
import { AccountService, AgreementService, KeyService, MeterService, PlanService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, rows, settled, withKey } from './requests.js';

describe('keys', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let other: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    // Far longer than the tests wait: what they see of a change, they see by its notification.
    const env = { KEY_CACHE_MAX_AGE_MS: '60000' };
    gate = await startGate(ground, { env });
    other = await startGate(ground, { env });
  });
  afterAll(async () => {
    await gate.close();
    await other.close();
    await ground.close();
  });

  const status = async (at: GateUnderTest, secret: string): Promise<number> =>
    (await call(at, '/ping', withKey(secret))).status;

  it('is stored as an HMAC and four letters, and nowhere as itself', async () => {
    const { secret, key } = await gate.issueKey();
    const stored = await rows(ground.database.url, 'select * from keyfare.api_key_secret where key_id = $1', [key.id]);
    expect(stored).toEqual([expect.objectContaining({ pepper_id: 'p1', last_four: secret.split('_')[3]?.slice(-4) })]);
    const dump = await rows<{ text: string }>(
      ground.database.url,
      `select query_to_xml('select * from keyfare.api_key_secret', true, false, '')::text
        || query_to_xml('select * from keyfare.api_key', true, false, '')::text as text`,
    );
    expect(dump[0]?.text).not.toContain(secret.split('_')[3]);
  });

  it('keeps its id, scopes and meter over a rotation; the new secret is active at first use, the old one until its grace ends', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 10n });
    expect(await status(gate, secret)).toBe(200);
    const rotated = await gate.app.get(KeyService).rotate(key.id, { graceSeconds: 0 });
    expect(rotated.key.id).toBe(key.id);
    expect(rotated.key.secrets.map(({ state }) => state)).toEqual(['active', 'pending']);
    expect(await status(gate, secret)).toBe(200);
    expect(await status(gate, rotated.secret)).toBe(200);
    // What is served until a process has heard of the rotation counts.
    let late = 0;
    const ofOld = async (at: GateUnderTest): Promise<number> => {
      const found = await status(at, secret);
      if (found === 200) late += 1;
      return found;
    };
    expect(await settled(() => ofOld(gate), 401)).toBe(401);
    expect(await settled(() => ofOld(other), 401)).toBe(401);
    expect(await status(other, rotated.secret)).toBe(200);
    for (const each of [gate, other]) await each.app.get(MeterService).giveBack(key.accountId);
    const used = await rows(ground.database.url, 'select used from keyfare.allowance where account_id = $1', [
      key.accountId,
    ]);
    expect(used).toEqual([{ used: String(4 + late) }]);
  });

  it('tells when it was last used, by whatever process, and keeps what it could not write for the next time', async () => {
    const { secret, key } = await gate.issueKey();
    const last = async (): Promise<Date | null> => (await gate.app.get(KeyService).find(key.id)).lastUsedAt;
    const write = async (at: GateUnderTest): Promise<void> => at.app.get(KeyUses).write();
    expect(await status(gate, `${secret.slice(0, -6)}000000`)).toBe(401);
    await write(gate);
    expect(await last()).toBeNull();
    expect(await status(gate, secret)).toBe(200);
    const early = new Date();
    expect(await status(other, secret)).toBe(200);
    // Whoever writes first: the later use counts.
    await write(other);
    await write(gate);
    expect((await last())?.getTime()).toBeGreaterThanOrEqual(early.getTime());

    const before = await last();
    expect(await status(gate, secret)).toBe(200);
    await rows(ground.database.url, 'alter table keyfare.key_use rename to key_use_away');
    await expect(write(gate)).rejects.toThrow('key_use');
    await rows(ground.database.url, 'alter table keyfare.key_use_away rename to key_use');
    await write(gate);
    expect((await last())?.getTime()).toBeGreaterThan(before?.getTime() ?? 0);
  });

  it('keeps the old secret alive for the grace that was asked for', async () => {
    const { secret, key } = await gate.issueKey();
    const rotated = await gate.app.get(KeyService).rotate(key.id, { graceSeconds: 3_600 });
    expect(await status(gate, rotated.secret)).toBe(200);
    expect(await status(gate, secret)).toBe(200);
    const { secrets } = await gate.app.get(KeyService).find(key.id);
    expect(secrets.map(({ state }) => state)).toEqual(['retiring', 'active']);
  });

  it('replaces a rotation that was never used when that is asked for, and else says that one is waiting', async () => {
    const { key } = await gate.issueKey();
    const keys = gate.app.get(KeyService);
    const first = await keys.rotate(key.id, { graceSeconds: 60 });
    await expect(keys.rotate(key.id, { graceSeconds: 60 })).rejects.toMatchObject({ code: 'key/conflict' });
    const second = await keys.rotate(key.id, { graceSeconds: 60, replacesPending: true });
    expect(await status(gate, first.secret)).toBe(401);
    expect(await status(gate, second.secret)).toBe(200);
  });

  it('of two rotations at once hands out one secret, and it is alive', async () => {
    const { key } = await gate.issueKey();
    const both = await Promise.allSettled(
      [gate, other].map(({ app }) => app.get(KeyService).rotate(key.id, { graceSeconds: 60 })),
    );
    const secrets = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value.secret] : []));
    expect(secrets).toHaveLength(1);
    expect(await status(gate, secrets[0] ?? '')).toBe(200);
    expect(both.find((one) => one.status === 'rejected')?.reason).toMatchObject({ code: 'key/conflict' });
  });

  it('that was revoked, or has run out, is not rotated into a dead secret', async () => {
    const revoked = await gate.issueKey();
    const expired = await gate.issueKey();
    await gate.app.get(KeyService).revoke(revoked.key.id);
    await rows(ground.database.url, `update keyfare.api_key set expires_at = now() where id = $1`, [expired.key.id]);
    for (const { key } of [revoked, expired]) {
      const rotation = gate.app.get(KeyService).rotate(key.id, { graceSeconds: 60 });
      await expect(rotation).rejects.toMatchObject({ code: 'key/conflict', status: 409 });
    }
  });

  it('is rotated and used at the same moment without a deadlock: the call waits for the rotation', async () => {
    const { key } = await gate.issueKey();
    const rotated = await gate.app.get(KeyService).rotate(key.id, { graceSeconds: 60 });
    const owner = new SqlPool({ ...patience, url: ground.database.url, applicationName: 'test' });
    let use: Promise<number> | undefined;
    // As a rotation goes: the key is locked, and then the secret that was never used is replaced.
    await owner.transaction(async (tx) => {
      await tx.query({ text: 'select 1 from keyfare.api_key where id = $1 for update', values: [key.id] });
      use = status(gate, rotated.secret);
      const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      expect(await settled(async () => (await rows(ground.database.url, waits)).length, 1)).toBe(1);
      const text = 'delete from keyfare.api_key_secret where key_id = $1 and activated_at is null';
      await tx.query({ text, values: [key.id] });
    });
    await owner.close();
    expect(await use).toBe(200);
  });

  it('is good by a secret under a pepper that is configured, though an older secret has a retired one', async () => {
    const { key } = await gate.issueKey();
    const newer = randomBytes(32).toString('base64url');
    const older = ground.env['API_KEY_PEPPERS'] ?? '';
    const both = await startGate(ground, { env: { API_KEY_PEPPERS: `p2:${newer},${older}` } });
    const rotated = await both.app.get(KeyService).rotate(key.id, { graceSeconds: 60 });
    await both.close();
    const retired = await startGate(ground, { env: { API_KEY_PEPPERS: `p2:${newer}` } });
    expect(await status(retired, rotated.secret)).toBe(200);
    await retired.close();
  });

  it('is 401 when no pepper that is configured fits its secrets', async () => {
    const { secret } = await gate.issueKey();
    const env = { API_KEY_PEPPERS: `p3:${randomBytes(32).toString('base64url')}` };
    const stranger = await startGate(ground, { env });
    expect(await status(stranger, secret)).toBe(401);
    await stranger.close();
  });

  it('is refused where its scopes do not reach, and no unit is taken', async () => {
    const { secret, key } = await gate.issueKey({ scopes: ['other'] });
    const answer = await call(gate, '/ping', withKey(secret));
    expect([answer.status, answer.body['code']]).toEqual([403, 'policy/forbidden']);
    expect(answer.headers.get('www-authenticate')).toContain('insufficient_scope');
    expect((await call(gate, '/other', withKey(secret))).status).toBe(200);
    for (const each of [gate, other]) await each.app.get(MeterService).giveBack(key.accountId);
    const used = await rows(ground.database.url, 'select used from keyfare.allowance where account_id = $1', [
      key.accountId,
    ]);
    expect(used).toEqual([{ used: '1' }]);
  });

  it('of a suspended account is refused everywhere, and served again when the account is active', async () => {
    const { secret, key } = await gate.issueKey();
    expect([await status(gate, secret), await status(other, secret)]).toEqual([200, 200]);
    await gate.app.get(AccountService).setStatus(key.accountId, 'suspended');
    expect(await settled(() => status(other, secret), 403)).toBe(403);
    expect(await settled(() => status(gate, secret), 403)).toBe(403);
    await gate.app.get(AccountService).setStatus(key.accountId, 'active');
    expect(await settled(() => status(other, secret), 200)).toBe(200);
  });

  it('follows a change of plan at once, and what was used stays used', async () => {
    const { secret, key } = await gate.issueKey({ includedUnits: 1n });
    expect([await status(gate, secret), await status(gate, secret)]).toEqual([200, 429]);
    await gate.app.get(PlanService).create({
      slug: 'larger',
      includedUnits: 3n,
      overage: 'reject',
      overagePrice: { asset: 'USD', atomic: 0n },
      monthlyPrice: { asset: 'USD', atomic: 0n },
    });
    await gate.app.get(AgreementService).changePlan(key.accountId, 'larger');
    expect(await settled(() => status(gate, secret), 200)).toBe(200);
    // The first process leases the last unit, and is asked for it.
    expect(await settled(() => status(other, secret), 200)).toBe(200);
    expect(await status(other, secret)).toBe(429);
    const terms = await rows(
      ground.database.url,
      `select kind from keyfare.entry where principal = $1 and kind = 'terms'`,
      [key.accountId],
    );
    expect(terms).toHaveLength(2);
  });

  it('is refused by every process within a second of its revocation', async () => {
    // The calls that look take their time on a busy machine: the quickest of three counts.
    const tookMs: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { secret, key } = await gate.issueKey();
      expect([await status(gate, secret), await status(other, secret)]).toEqual([200, 200]);
      await gate.app.get(KeyService).revoke(key.id);
      const revokedAt = performance.now();
      expect(await settled(() => status(other, secret), 401)).toBe(401);
      expect(await settled(() => status(gate, secret), 401)).toBe(401);
      tookMs.push(performance.now() - revokedAt);
    }
    expect(Math.min(...tookMs)).toBeLessThan(1_000);
  });

  it('is refused at once by a process whose listener was killed, for then it asks the database for every call', async () => {
    const { secret, key } = await gate.issueKey();
    expect(await status(other, secret)).toBe(200);
    const killed = await rows<{ killed: boolean }>(
      ground.database.url,
      `select pg_terminate_backend(pid) as killed from pg_stat_activity
        where application_name = 'keyfare-listener' and datname = current_database()`,
    );
    expect(killed).toEqual([{ killed: true }, { killed: true }]);
    await gate.app.get(KeyService).revoke(key.id);
    expect(await settled(() => status(other, secret), 401)).toBe(401);
  });

  it('revoked by hand in the database is refused like any other', async () => {
    const { secret, key } = await gate.issueKey();
    expect(await status(other, secret)).toBe(200);
    await rows(ground.database.url, 'update keyfare.api_key set revoked_at = now() where id = $1', [key.id]);
    expect(await settled(() => status(other, secret), 401)).toBe(401);
  });
});
