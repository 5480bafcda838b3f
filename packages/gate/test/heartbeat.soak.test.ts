import { SqlPool } from '@keyfare/db/sql';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { ReplicaId } from '../src/replica-id.js';
import { AccountService, MeterService } from '../src/services.js';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { rows } from './requests.js';

const ttlMs = 3_000;
const accountCount = 10_000;

describe('a process with much to do', () => {
  let ground: Ground;
  let busy: GateUnderTest;
  let peer: GateUnderTest;

  beforeAll(async () => {
    ground = await openGround();
    const env = { REPLICA_TTL_MS: String(ttlMs) };
    busy = await startGate(ground, { env });
    peer = await startGate(ground, { env });
  });
  afterAll(async () => {
    await busy.close();
    await peer.close();
    await ground.close();
  });

  it('is not taken for dead while it returns 10,000 idle leases to a database that takes 1 ms for each, and its pool is full', async () => {
    const { key } = await busy.issueKey({ includedUnits: 100n });
    const { plan } = await busy.app.get(AccountService).find(key.accountId);
    const accounts = Array.from({ length: accountCount }, (_, index) => `acct_idle_${index}`);
    await rows(
      ground.database.url,
      `insert into keyfare.account (id, name, plan_id, created_at, effective_at)
      select id, 'Idle', $2, now(), now() from unnest($1::text[]) as t(id)`,
      [accounts, plan.planId],
    );
    const meter = busy.app.get(MeterService);
    const now = new Date();
    const holds = await Promise.all(accounts.map(async (accountId) => meter.hold({ accountId, plan }, 1n, now)));
    const name = busy.app.get(ReplicaId).id;
    await slowLeases(ground.database.url);
    for (const hold of holds) if (typeof hold !== 'string') meter.void(hold);
    expect(await openLeases(ground.database.url)).toBe(accountCount);

    // Every connection that calls share is taken for longer than a process may be silent.
    const sql = busy.app.get(SqlPool);
    const full = Array.from({ length: 8 }, () => sql.query({ text: `select pg_sleep(${(ttlMs * 1.5) / 1_000})` }));
    const names = new Set<string>();
    for (const deadline = Date.now() + 90_000; Date.now() < deadline; ) {
      names.add(busy.app.get(ReplicaId).id);
      if ((await openLeases(ground.database.url)) === 0) break;
      await new Promise((wake) => setTimeout(wake, 100));
    }
    await Promise.all(full);
    expect(await openLeases(ground.database.url)).toBe(0);
    expect([...names, busy.app.get(ReplicaId).id]).toEqual([name, name]);
    const [row] = await rows<{ leased: string }>(
      ground.database.url,
      'select coalesce(sum(leased), 0) as leased from keyfare.allowance',
    );
    expect(row?.leased).toBe('0');
  }, 150_000);
});

async function openLeases(url: string): Promise<number> {
  const [row] = await rows<{ count: number }>(url, 'select count(*)::integer as count from keyfare.lease where open');
  return row?.count ?? -1;
}

/** From now on the database takes a millisecond for each lease that changes. */
async function slowLeases(url: string): Promise<void> {
  await rows(
    url,
    `create function keyfare.slow() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(0.001);
      return new;
    end $$;
    create trigger slow before update on keyfare.lease for each row execute function keyfare.slow()`,
  );
}
