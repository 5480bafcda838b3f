import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { choosePort } from '@keyfare/devstack/ports';
import { killPostgres, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { migrateGate } from '../src/database.js';
import { addressesByHeader, counted, from, GiftController, given } from './free-under-test.js';
import { openGround, startGate } from './gate-under-test.js';
import { type Answer, settled } from './requests.js';

it('free calls are answered 503 while the database is away, never 402 or for nothing, and each address gets its ten once', async () => {
  const base = await openGround();
  const dataDir = mkdtempSync(join(tmpdir(), 'keyfare-free-'));
  // Root hands the server to another account, which must get in.
  chmodSync(dataDir, 0o755);
  const options = { dataDir: join(dataDir, 'postgres'), port: await choosePort(), password: 'outage-test' };
  let server = await startPostgres(options);
  await migrateGate(server.adminUrl);
  const database = { ...base.database, url: server.adminUrl };
  const ground = { ...base, database, env: { ...base.env, DATABASE_URL: server.adminUrl } };
  const gate = await startGate(ground, { controllers: [GiftController], prepare: addressesByHeader });
  try {
    const answers: Answer[] = [];
    const load = new AbortController();
    let next = 0;
    const caller = async (): Promise<void> => {
      while (!load.signal.aborted) answers.push(await from(gate, `192.0.2.${(next += 1) % 250}`, '/gift/ten'));
    };
    const callers = Array.from({ length: 8 }, caller);
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    for (let outage = 1; outage <= 2; outage += 1) {
      const served = count(200);
      await settled(async () => count(200) > served + 50, true);
      await killPostgres(server);
      const away = count(503);
      await settled(async () => count(503) > away + 50, true);
      const asked = count(402);
      await settled(async () => count(503) > away + 100, true);
      expect(count(402)).toBe(asked);
      server = await startPostgres(options);
    }
    // Each of the 250 addresses has ten: all of them are given, however the outages fell.
    expect(await settled(async () => given(ground, 'ten'), 2_500)).toBe(2_500);
    load.abort();
    await Promise.all(callers);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 402, 503]));
    const receipts = new Set(answers.flatMap(({ headers, status }) => (status === 200 ? [headers.get('receipt-id')] : [])));
    expect(await given(ground, 'ten')).toBeGreaterThanOrEqual(receipts.size);
    expect(await settled(async () => (await counted(ground, 'ten')).holds, 0)).toBe(0);
    expect(await counted(ground, 'ten')).toEqual({ taken: 2_500, used: 2_500, held: 0, holds: 0 });
  } finally {
    await gate.close();
    await stopPostgres(server).catch(() => undefined);
    await base.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 120_000);
