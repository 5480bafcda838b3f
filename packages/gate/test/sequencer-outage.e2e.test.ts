import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isConnectionLost } from '@keyfare/db/sql';
import { choosePort } from '@keyfare/devstack/ports';
import { killPostgres, type PostgresServer, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { migrateGate } from '../src/database.js';
import { type Ground, openGround, startGate } from './gate-under-test.js';
import { freshIds, type LogUnderTest, openLog } from './log-under-test.js';
import { call, rows, settled, withKey } from './requests.js';

describe('a database that is killed or stopped, and started again, under load', () => {
  let directory: string;
  let options: { dataDir: string; port: number; password: string };
  let server: PostgresServer;
  let log: LogUnderTest;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'keyfare-sequencer-'));
    // Root hands the server to another account, which must get in.
    chmodSync(directory, 0o755);
    options = { dataDir: join(directory, 'postgres'), port: await choosePort(), password: 'sequencer-test' };
    server = await startPostgres(options);
    await migrateGate(server.adminUrl);
    log = await openLog(server.adminUrl);
  }, 60_000);
  afterAll(async () => {
    await log.close();
    await stopPostgres(server).catch(() => undefined);
    rmSync(directory, { recursive: true, force: true });
  }, 30_000);

  it('leaves no gap in the places, and gives no entry two, though posts are repeated whose outcome was lost', async () => {
    const load = new AbortController();
    const posted: string[] = [];
    let repeated = 0;
    const write = async (ids: readonly string[]): Promise<void> => {
      for (;;) {
        try {
          await log.post(ids.length, log.sql, ids);
          posted.push(...ids);
          return;
        } catch (error) {
          if (!isConnectionLost(error)) throw error;
          repeated += 1;
          await new Promise((wake) => setTimeout(wake, 20));
        }
      }
    };
    const writer = async (_: unknown, index: number): Promise<void> => {
      while (!load.signal.aborted) await write(freshIds(1 + (index % 3)));
    };
    const troubles: unknown[] = [];
    const both = [1, 2].map(() =>
      log.sequencer({ ttlMs: 1_000, pauseMs: 10, maxPosts: 20, onError: (error) => void troubles.push(error) }),
    );
    for (const one of both) one.start();
    const writing = Promise.all(Array.from({ length: 8 }, writer));
    const placed = async (): Promise<number> => (await log.feed().catch(() => [])).length;
    for (let outage = 1; outage <= 3; outage += 1) {
      const before = await placed();
      expect(await settled(async () => (await placed()) > before + 100, true)).toBe(true);
      const lost = repeated;
      // Once in good order, with its connections told, and twice as a crash.
      await (outage === 2 ? stopPostgres(server) : killPostgres(server));
      expect(await settled(async () => repeated > lost, true)).toBe(true);
      server = await startPostgres(options);
    }
    const before = await settled(async () => (await placed()) > 0, true).then(placed);
    expect(await settled(async () => (await placed()) > before + 100, true)).toBe(true);
    load.abort();
    await writing;
    expect(await settled(placed, posted.length)).toBe(posted.length);
    await log.expectWhole();
    expect(troubles.filter((error) => !isConnectionLost(error))).toEqual([]);
    await Promise.all(both.map(async (one) => one.close()));
  }, 90_000);
});

describe('a process that holds the lease of the sequencer', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround();
  }, 30_000);
  afterAll(async () => ground.close());

  const holder = async (): Promise<string | null> =>
    (await rows<{ holder: string | null }>(ground.database.url, 'select holder from keyfare.sequencer'))[0]?.holder ??
    null;
  const unplaced = async (): Promise<number> =>
    (
      await rows(
        ground.database.url,
        `select e.id from keyfare.entry e
          where not exists (select 1 from keyfare.placed p where e.id = any (p.ids))`,
      )
    ).length;

  it('and is killed is followed by another within the time of the lease: what both served has its place', async () => {
    const first = await startGate(ground);
    const { secret } = await first.issueKey();
    await first.close();
    const dying = await spawnGate(ground);
    expect(await settled(async () => (await holder()) !== null, true)).toBe(true);
    const held = await holder();
    const peer = await spawnGate(ground);
    try {
      const serve = async (gate: { url: string }): Promise<void> => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => call(gate, '/ping', withKey(secret))));
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      };
      await Promise.all([serve(dying), serve(peer)]);
      await dying.kill();
      await serve(peer);
      expect(await settled(async () => (await holder()) !== held, true)).toBe(true);
      expect(await settled(unplaced, 0)).toBe(0);
      const log = await openLog(ground.database.url);
      await log.expectWhole();
      expect((await log.feed()).length).toBeGreaterThanOrEqual(61);
      await log.close();
    } finally {
      await peer.kill();
    }
  }, 60_000);
});

/** A gate in a process of its own. */
async function spawnGate(ground: Ground): Promise<{ readonly url: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./gate-process.js', import.meta.url))], {
    env: { ...process.env, ...ground.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: first.toString().trim(),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
