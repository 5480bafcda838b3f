import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '@keyfare/devstack/drafts';
import type { SharedHome } from '@keyfare/devstack/home';
import { identifySelf, isAlive, type ProcessIdentity, parseIdentity } from '@keyfare/devstack/identity';
import { type Lock, waitForLock } from '@keyfare/devstack/lock';

const lockTimeoutMs = 120_000;

/** The lock under which processes say that they use the server, and the keeper stops it. */
export async function lockUsers({ path }: Pick<SharedHome, 'path'>): Promise<Lock> {
  return await waitForLock(join(path, 'users.lock'), lockTimeoutMs);
}

/** Says that this process uses the server, for as long as it runs. Under the lock only. */
export function addUser({ path }: Pick<SharedHome, 'path'>): void {
  mkdirSync(join(path, 'users'), { recursive: true, mode: 0o700 });
  replaceFile(join(path, 'users', `${String(process.pid)}.json`), JSON.stringify(identifySelf()));
}

/** Whether a process that uses the server is running. Forgets those that have ended. */
export function hasUsers({ path }: Pick<SharedHome, 'path'>): boolean {
  if (!existsSync(join(path, 'users'))) return false;
  const files = readdirSync(join(path, 'users')).filter((name) => name.endsWith('.json'));
  const ended = files.filter((name) => !isRunning(readIdentity(join(path, 'users', name))));
  for (const name of ended) rmSync(join(path, 'users', name), { force: true });
  return ended.length < files.length;
}

/** The keeper that is at work, or null. */
export function findKeeper({ path }: Pick<SharedHome, 'path'>): ProcessIdentity | null {
  const keeper = readIdentity(join(path, 'keeper.json'));
  return isRunning(keeper) ? keeper : null;
}

export function recordKeeper({ path }: Pick<SharedHome, 'path'>, keeper: ProcessIdentity): void {
  replaceFile(join(path, 'keeper.json'), JSON.stringify(keeper));
}

/** Under the lock, by the keeper that stops. */
export function forgetKeeper({ path }: Pick<SharedHome, 'path'>): void {
  rmSync(join(path, 'keeper.json'), { force: true });
}

function isRunning(identity: ProcessIdentity | null): boolean {
  return identity !== null && isAlive(identity);
}

function readIdentity(path: string): ProcessIdentity | null {
  try {
    return parseIdentity(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null; // there is none, or another process replaces it
  }
}
