import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { identify, identifySelf, isAlive, parseIdentity } from './identity.js';
import { choosePort, isPortFree } from './ports.js';
import { killProcess } from './signals.js';

describe('identify', () => {
  it('tells two runs with one pid apart, and the living from the dead', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    const identity = identify(child.pid ?? 0);
    if (identity === null) throw new Error('a running process has an identity');
    expect(isAlive(identity)).toBe(true);
    expect(isAlive({ ...identity, startedAt: `${identity.startedAt}0` })).toBe(false);
    expect(isAlive({ ...identity, executable: '/bin/other' })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(identity)).toBe(false);
  });

  it('knows no process by a number that is none', () => {
    for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 40]) expect(identify(pid)).toBeNull();
  });

  it('reads back its own JSON, and nothing else', () => {
    const identity = identifySelf();
    expect(parseIdentity(JSON.parse(JSON.stringify(identity)))).toEqual(identity);
    for (const other of [null, 'text', {}, { pid: 1 }, { ...identity, pid: '1' }, [1]]) {
      expect(parseIdentity(other)).toBeNull();
    }
  });
});

it('takes a process that is giving back its memory for alive: it still has its port', async () => {
  const port = await choosePort();
  // Half a gigabyte takes the system some time, in which the process has neither memory nor an executable any more.
  const program = `const held = Buffer.alloc(512 * 1024 * 1024, 1);
    require('node:net').createServer().listen(${port}, '127.0.0.1', () => console.log(held.length));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  await once(child.stdout, 'data');
  const target = identify(child.pid ?? 0);
  if (target === null) throw new Error('the process has ended by itself');
  await killProcess(target);
  expect(await isPortFree(port)).toBe(true);
}, 60_000);
