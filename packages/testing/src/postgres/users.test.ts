import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identifySelf } from '@keyfare/devstack/identity';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { addUser, findKeeper, forgetKeeper, hasUsers, recordKeeper } from './users.js';

let home: { readonly path: string };
const module = new URL('./users.js', import.meta.url).href;

beforeAll(() => {
  home = { path: mkdtempSync(join(tmpdir(), 'keyfare-users-')) };
});
afterAll(() => rmSync(home.path, { recursive: true, force: true }));

it('a server is used while one of those who said so is running, and no longer', async () => {
  const program = `(await import(${JSON.stringify(module)})).addUser(${JSON.stringify(home)});
    process.stdout.write('done'); setInterval(() => undefined, 1000);`;
  const other = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(other.stdout, 'data');
  expect(hasUsers(home)).toBe(true);
  addUser(home);
  other.kill('SIGKILL');
  await once(other, 'exit');
  expect(hasUsers(home)).toBe(true);
  const own = `${String(process.pid)}.json`;
  expect(readdirSync(join(home.path, 'users'))).toEqual([own]);
  rmSync(join(home.path, 'users', own));
  expect(hasUsers(home)).toBe(false);
});

it('a keeper is one that runs: neither one that has ended nor one that was forgotten', () => {
  const self = identifySelf();
  recordKeeper(home, { ...self, startedAt: 'before' }); // another process that had this pid
  expect(findKeeper(home)).toBeNull();
  recordKeeper(home, self);
  expect(findKeeper(home)).toEqual(self);
  forgetKeeper(home);
  expect(findKeeper(home)).toBeNull();
});
