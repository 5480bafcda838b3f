import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeArea } from '../test/area.js';
import { identify, identifySelf, isAlive } from './identity.js';
import { choosePort, PortTaken } from './ports.js';
import { endOrphans, recordProcess, type ServiceOptions, spawnService } from './processes.js';

const area = makeArea();
const runDir = join(area.path, 'run');
afterAll(area.remove);

/** A service that answers 200 once `prepare` has let it; it knows its port from its environment. */
const server = (prepare: string) => `
  const http = require('node:http');
  ${prepare}
  http.createServer((_, response) => response.end('ready')).listen(Number(process.env.PORT), '127.0.0.1');`;

async function options(name: string, program: string): Promise<ServiceOptions> {
  const port = await choosePort();
  return {
    name,
    command: [process.execPath, '-e', program],
    env: { PORT: String(port) },
    readyUrl: `http://127.0.0.1:${String(port)}/`,
    logPath: join(area.path, 'logs', `${name}.log`),
    runDir,
    stopTimeoutMs: 20_000,
  };
}

describe('spawnService', () => {
  it('returns when the service is ready, keeps its output, and stops it with SIGTERM', async () => {
    const program = server(
      `console.log('booting'); process.on('SIGTERM', () => { console.log('bye'); process.exit(7); });`,
    );
    const settings = await options('polite', program);
    const service = await spawnService(settings);
    expect((await fetch(settings.readyUrl)).status).toBe(200);
    expect(await service.stop()).toEqual({ code: 7, signal: null });
    expect(await service.ended).toEqual({ code: 7, signal: null });
    expect(readFileSync(settings.logPath, 'utf8')).toBe('booting\nbye\n');
    expect(statSync(settings.logPath).mode & 0o077).toBe(0);
    expect(readdirSync(runDir)).toEqual([]);
  });

  it('kills a service that ignores SIGTERM, with all that it started', async () => {
    const program = server(`
      process.on('SIGTERM', () => {});
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
      console.log(child.pid);`);
    const settings = { ...(await options('stubborn', program)), stopTimeoutMs: 500 };
    const service = await spawnService(settings);
    const grandchild = identify(Number(readFileSync(settings.logPath, 'utf8')));
    if (grandchild === null) throw new Error('the grandchild runs');
    expect(await service.stop()).toEqual({ code: null, signal: 'SIGKILL' });
    while (isAlive(grandchild)) await new Promise(setImmediate);
  });

  it('passes its environment and nothing of ours', async () => {
    const settings = await options('bare', server(`console.log(JSON.stringify(process.env));`));
    const service = await spawnService(settings);
    expect(JSON.parse(readFileSync(settings.logPath, 'utf8'))).toEqual(settings.env);
    await service.stop();
  });

  it('says why a service ended before it was ready, with the end of its log', async () => {
    const settings = await options('broken', `console.error('no database'); process.exit(3)`);
    await expect(spawnService(settings)).rejects.toThrow(/broken ended \(3\); its log ends:\nno database/);
    const absent = { ...settings, command: ['/nowhere/program'] as const };
    await expect(spawnService(absent)).rejects.toThrow('broken could not be started');
    expect(readdirSync(runDir)).toEqual([]);
  });

  it('ends a service that is never ready', async () => {
    const settings = { ...(await options('slow', 'setInterval(() => {}, 1000)')), readyTimeoutMs: 200 };
    await expect(spawnService(settings)).rejects.toThrow('slow is not ready after 200 ms');
    expect(readdirSync(runDir)).toEqual([]);
  });

  it('does not start beside a stranger at its port, and does not take the stranger for the service', async () => {
    const settings = await options('late', `console.log('started')`);
    const port = Number(new URL(settings.readyUrl).port);
    const stranger = await listen(port);
    await expect(spawnService(settings)).rejects.toThrow(new PortTaken(port));
    await close(stranger);
  });
});

const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

describeOnLinux('spawnService where the kernel tells who listens', () => {
  it('does not believe a 200 that another process gave', async () => {
    // The service waits; meanwhile somebody else begins to answer at its port.
    const settings = await options('fooled', `console.log('up'); setInterval(() => {}, 1000)`);
    const port = Number(new URL(settings.readyUrl).port);
    const waiting = spawnService(settings);
    waiting.catch(() => undefined);
    while (!logged(settings.logPath)) await new Promise(setImmediate);
    const stranger = await listen(port);
    await expect(waiting).rejects.toThrow(new PortTaken(port));
    await close(stranger);
  });
});

describe('endOrphans', () => {
  it('ends what a killed start left running, and leaves the services of a living start alone', async () => {
    const orphan = await options('orphan', server(''));
    const starter = `
      const { spawnService } = await import(${JSON.stringify(new URL('./processes.js', import.meta.url).href)});
      await spawnService(${JSON.stringify(orphan)});
      console.log('up');
      setInterval(() => {}, 1000);`;
    const dead = spawn(process.execPath, ['--input-type=module', '-e', starter], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(dead.stdout, 'data');
    const living = await spawnService(await options('living', server('')));

    expect(await endOrphans(runDir)).toEqual([]); // both starts live
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    expect((await fetch(orphan.readyUrl)).status).toBe(200);
    expect(await endOrphans(runDir)).toEqual(['orphan']);
    await expect(fetch(orphan.readyUrl)).rejects.toThrow('fetch failed');
    expect(identify(living.pid)).not.toBeNull();
    await living.stop();
    expect(readdirSync(runDir)).toEqual([]);
  }, 30_000);

  it('leaves a process alone that only has the pid of a recorded one', async () => {
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const identity = identify(bystander.pid ?? 0);
    if (identity === null) throw new Error('the bystander runs');
    const path = recordProcess(runDir, 'recycled', { ...identity, startedAt: 'another boot:1' });
    const record = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...record, owner: { ...identifySelf(), startedAt: 'another boot:0' } }));
    writeFileSync(join(runDir, 'damaged.json'), '{"process":');
    expect(await endOrphans(runDir)).toEqual([]);
    expect(isAlive(identity)).toBe(true);
    expect(readdirSync(runDir)).toEqual([]);
    bystander.kill('SIGKILL');
    await once(bystander, 'exit');
  });
});

function logged(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').includes('up');
  } catch {
    return false;
  }
}

async function listen(port: number): Promise<Server> {
  const stranger = createServer((_, response) => response.end('stranger'));
  await new Promise<void>((resolve) => void stranger.listen(port, '127.0.0.1', resolve));
  return stranger;
}

async function close(stranger: Server): Promise<void> {
  stranger.closeAllConnections();
  await new Promise((resolve) => void stranger.close(resolve));
}
