import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePort } from '@keyfare/devstack/ports';
import { killPostgres, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { addressesByHeader, counted, from, GiftController, given } from './free-under-test.js';
import { openGround, startGate } from './gate-under-test.js';
import { type Answer, rows, settled } from './requests.js';

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
  const load = new AbortController();
  const answers: Answer[] = [];
  // Each address calls five times under load, so that none of them may be asked to pay.
  const addressOf = (call: number): string => {
    const index = Math.floor(call / 5);
    return `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
  };
  const ask = async (address: string): Promise<number> => {
    const answer = await from(gate, address, '/gift/ten');
    answers.push(answer);
    return answer.status;
  };
  let next = 0;
  const caller = async (): Promise<void> => {
    while (!load.signal.aborted) await ask(addressOf(next++));
  };
  const callers = Promise.all(Array.from({ length: 8 }, caller));
  try {
    const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
    for (let outage = 1; outage <= 2; outage += 1) {
      const served = count(200);
      await settled(async () => count(200) > served + 50, true);
      await killPostgres(server);
      const away = count(503);
      await settled(async () => count(503) > away + 50, true);
      server = await startPostgres(options);
    }
    load.abort();
    await callers;
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    // What is left of each address's ten is still there, however the outages fell.
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        let status = 503;
        while (status !== 402) status = await ask(addressOf(5 * index));
      }),
    );
    expect(await settled(async () => (await counted(ground, 'ten')).holds, 0)).toBe(0);
    const posted = await given(ground, 'ten');
    expect(await counted(ground, 'ten')).toEqual({ taken: posted, used: posted, held: 0, holds: 0 });
    const receipts = answers.flatMap(({ headers, status }) => (status === 200 ? [headers.get('receipt-id')] : []));
    expect(new Set(receipts).size).toBe(receipts.length);
    const counts = await rows<{ used: number }>(database.url, 'select used from keyfare.free_caller');
    expect(counts.every(({ used }) => used <= 10)).toBe(true);
    expect(counts.filter(({ used }) => used === 10).length).toBeGreaterThanOrEqual(8);
  } finally {
    load.abort();
    await callers.catch(() => undefined);
    await gate.close();
    await stopPostgres(server).catch(() => undefined);
    await base.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 120_000);
