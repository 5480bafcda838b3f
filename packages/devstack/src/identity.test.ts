import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { identify, identifySelf, isAlive, parseIdentity } from './identity.js';

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
