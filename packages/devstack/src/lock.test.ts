import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeArea } from '../test/area.js';
import { tryLock, waitForLock } from './lock.js';

const area = makeArea();
afterAll(area.remove);

const lockModule = new URL('./lock.js', import.meta.url).href;

/** Holds the lock, says so, and stays. */
function holder(directory: string): ChildProcess {
  const program = `
    const { waitForLock } = await import(${JSON.stringify(lockModule)});
    await waitForLock(${JSON.stringify(directory)}, 10_000);
    console.log('held');
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Enters and leaves the lock 25 times; inside it makes a file that must not exist, and counts in another. */
function contender(directory: string, inside: string): ChildProcess {
  const program = `
    import { readFileSync, rmSync, writeFileSync } from 'node:fs';
    const { waitForLock } = await import(${JSON.stringify(lockModule)});
    for (let turn = 0; turn < 25; turn += 1) {
      const lock = await waitForLock(${JSON.stringify(directory)}, 60_000);
      writeFileSync(${JSON.stringify(`${inside}.alone`)}, '', { flag: 'wx' });
      writeFileSync(${JSON.stringify(inside)}, String(Number(readFileSync(${JSON.stringify(inside)}, 'utf8')) + 1));
      rmSync(${JSON.stringify(`${inside}.alone`)});
      lock.release();
    }`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
}

describe('tryLock', () => {
  it('names the living holder, and gives the lock again after release', () => {
    const directory = join(area.path, 'simple');
    const lock = tryLock(directory);
    if (!('release' in lock)) throw new Error('a new lock is free');
    expect(tryLock(directory)).toMatchObject({ holder: { pid: process.pid } });
    lock.release();
    lock.release();
    const next = tryLock(directory);
    expect(next).toHaveProperty('release');
    lock.release(); // a late repeat does not take the lock from its next holder
    expect(tryLock(directory)).toHaveProperty('holder');
  });

  it('takes over the lock of a killed process, and of a file that nobody finished', async () => {
    const directory = join(area.path, 'stale');
    const child = holder(directory);
    if (child.stdout) await once(child.stdout, 'data');
    expect(tryLock(directory)).toMatchObject({ holder: { pid: child.pid } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(tryLock(directory)).toHaveProperty('release');

    const damaged = join(area.path, 'damaged');
    mkdirSync(damaged);
    writeFileSync(join(damaged, '1'), '{"pid": 1');
    expect(tryLock(damaged)).toHaveProperty('release');
  });

  it('keeps one file, however often the lock changed hands', async () => {
    const directory = join(area.path, 'often');
    for (let turn = 0; turn < 50; turn += 1) (await waitForLock(directory, 1000)).release();
    expect(readdirSync(directory)).toEqual(['50']);
  });
});

describe('waitForLock', () => {
  it('lets one process in at a time, from the moment in which a dead holder is succeeded', async () => {
    const directory = join(area.path, 'race');
    const inside = join(area.path, 'count');
    writeFileSync(inside, '0');
    const dead = holder(directory);
    if (dead.stdout) await once(dead.stdout, 'data');
    const contenders = Array.from({ length: 6 }, () => contender(directory, inside));
    const exits = contenders.map(async (child) => (await once(child, 'exit'))[0] as number);
    dead.kill('SIGKILL');
    expect(await Promise.all(exits)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(readFileSync(inside, 'utf8')).toBe('150');
  }, 120_000);

  it('gives up after its time and names the holder', async () => {
    const directory = join(area.path, 'slow');
    await waitForLock(directory, 0);
    await expect(waitForLock(directory, 30)).rejects.toThrow(`process ${String(process.pid)} has held`);
  });
});
