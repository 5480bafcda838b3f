import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeArea } from '../../test/area.js';
import { choosePort, PortTaken } from '../ports.js';
import {
  adminQuery,
  ensureDatabase,
  isPostgresRunning,
  killPostgres,
  type PostgresServer,
  restartPostgres,
  startPostgres,
  stopPostgres,
} from './index.js';

const area = makeArea();
const dataDir = join(area.path, 'postgres');
const password = randomBytes(16).toString('base64url');

async function start(): Promise<PostgresServer> {
  return await startPostgres({ dataDir, port: await choosePort(), password });
}

async function postmasterStart(server: PostgresServer): Promise<string> {
  const rows = await adminQuery<{ at: string }>(server.adminUrl, 'select pg_postmaster_start_time()::text as at');
  return rows[0]?.at ?? '';
}

let server: PostgresServer;

beforeAll(async () => {
  mkdirSync(`${dataDir}.0123456789ab.draft`); // what a start leaves that is killed in the middle of initdb
  writeFileSync(`${dataDir}.password.0123456789ab.draft`, 'old');
  server = await start();
}, 60_000);

afterAll(async () => {
  await stopPostgres(server);
  area.remove();
}, 60_000);

describe('startPostgres', () => {
  it('starts a server that listens at the loopback address only and asks for the password', async () => {
    expect(server.startedHere).toBe(true);
    const [row] = await adminQuery(server.adminUrl, `select current_setting('listen_addresses') as addresses`);
    expect(row).toEqual({ addresses: '127.0.0.1' });
    const wrong = server.adminUrl.replace(password, 'guess');
    await expect(adminQuery(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('keeps the data directory closed, and leaves no file with the password', () => {
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(readdirSync(area.path).filter((name) => /password|draft/.test(name))).toEqual([]);
  });

  it('is durable by default: fsync and synchronous commit are on', async () => {
    const [row] = await adminQuery(
      server.adminUrl,
      `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
    );
    expect(row).toEqual({ fsync: 'on', commit: 'on' });
  });

  it('adopts the server that runs already, at the port it has', async () => {
    const startedAt = await postmasterStart(server);
    const again = await start();
    expect(again).toMatchObject({ startedHere: false, port: server.port });
    expect(await postmasterStart(again)).toBe(startedAt);
  });

  it('refuses to adopt a server with another password', async () => {
    await expect(startPostgres({ dataDir, port: server.port, password: 'another' })).rejects.toThrow(
      'made with another password',
    );
  });

  it('gives one server to several callers at once, started by one of them', async () => {
    await stopPostgres(server);
    const servers = await Promise.all([start(), start(), start()]);
    expect(servers.filter(({ startedHere }) => startedHere)).toHaveLength(1);
    expect(new Set(servers.map(({ port }) => port)).size).toBe(1);
    server = servers[0];
  }, 60_000);

  it('keeps committed rows when the postmaster is killed, and starts again at once', async () => {
    const url = await ensureDatabase(server.adminUrl, 'killed');
    await adminQuery(url, 'create table kept (value int)');
    for (const value of [1, 2, 3]) {
      await adminQuery(url, 'insert into kept values ($1)', [value]);
      await killPostgres(server);
      server = await startPostgres({ dataDir, port: server.port, password });
      expect(server.startedHere).toBe(true);
    }
    const [row] = await adminQuery(url, 'select count(*)::int as rows from kept');
    expect(row).toEqual({ rows: 3 });
  }, 120_000);

  it('starts over a stale pid file whose pid belongs to another living program by now', async () => {
    await stopPostgres(server);
    writeFileSync(join(dataDir, 'postmaster.pid'), `${String(process.pid)}\n${dataDir}\n1\n${String(server.port)}\n`);
    server = await start();
    expect(server.startedHere).toBe(true);
    expect(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8')).not.toMatch(new RegExp(`^${String(process.pid)}\n`));
  }, 60_000);

  it('starts over a pid file that a crash left empty', async () => {
    await stopPostgres(server);
    writeFileSync(join(dataDir, 'postmaster.pid'), '');
    server = await start();
    expect(server.startedHere).toBe(true);
  }, 60_000);

  it('refuses a port that somebody else listens at, and starts nothing', async () => {
    await stopPostgres(server);
    const stranger = createServer();
    const port = await choosePort();
    await new Promise<void>((resolve) => void stranger.listen(port, '127.0.0.1', resolve));
    await expect(startPostgres({ dataDir, port, password })).rejects.toThrow(new PortTaken(port));
    expect(existsSync(join(dataDir, 'postmaster.pid'))).toBe(false);
    await new Promise((resolve) => void stranger.close(resolve));
    server = await start();
  }, 60_000);

  it('restarts with a new postmaster and the same data', async () => {
    const url = await ensureDatabase(server.adminUrl, 'restarted');
    await adminQuery(url, 'create table kept as select 7 as value');
    const before = await postmasterStart(server);
    server = await restartPostgres({ dataDir, port: server.port, password, maxConnections: 33 });
    expect(await postmasterStart(server)).not.toBe(before);
    expect(await adminQuery(url, `select value, current_setting('max_connections') as max from kept`)).toEqual([
      { value: 7, max: '33' },
    ]);
  }, 60_000);
});

describe('stopPostgres', () => {
  it('ends the server, and does nothing when none runs', async () => {
    expect(isPostgresRunning(server)).toBe(true);
    await stopPostgres(server);
    expect(isPostgresRunning(server)).toBe(false);
    await expect(adminQuery(server.adminUrl, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await stopPostgres(server);
    await stopPostgres({ dataDir: join(area.path, 'never-made') });
    server = await start();
  }, 60_000);
});

describe('ensureDatabase', () => {
  it('makes one database for several callers at once, whatever its name', async () => {
    const name = 'odd "name" of 100%';
    const urls = await Promise.all([1, 2, 3].map(async () => await ensureDatabase(server.adminUrl, name)));
    expect(new Set(urls).size).toBe(1);
    expect(await adminQuery(urls[0] ?? '', 'select current_database() as name')).toEqual([{ name }]);
  });
});
