import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identifySelf, isAlive, type ProcessIdentity, parseIdentity } from './identity.js';

/** A lock that this process holds. */
export interface Lock {
  /** Gives the lock up. Harmless when repeated. */
  release(): void;
}

/**
 * Takes the lock kept in `directory`, or tells which living process holds it.
 *
 * Holders are numbered files, and the highest number is the holder: a lock whose holder died is not removed but
 * outnumbered. Creating a number is atomic (link(2) refuses an existing name), so of two that find the same dead holder
 * exactly one succeeds it. "Remove the stale file, then create mine" has a window in which the second of them removes
 * the first one's new lock.
 */
export function tryLock(directory: string): Lock | { readonly holder: ProcessIdentity } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (;;) {
    const highest = highestIn(directory);
    const holder = highest === 0 ? null : readHolder(directory, highest);
    if (holder !== null && isAlive(holder)) return { holder };
    const mine = highest + 1;
    if (!publish(directory, mine)) continue;
    // Numbers below a newer holder are swept away, so an old reader can create one again: then it is not the highest.
    if (highestIn(directory) !== mine) {
      rmSync(join(directory, String(mine)), { force: true });
      continue;
    }
    sweepBelow(directory, mine);
    return { release: () => release(directory, mine) };
  }
}

/** As `tryLock`, but waits until the holder gives up or dies; after `timeoutMs` it throws and names the holder. */
export async function waitForLock(directory: string, timeoutMs: number): Promise<Lock> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const attempt = tryLock(directory);
    if ('release' in attempt) return attempt;
    if (performance.now() > deadline) {
      throw new Error(`process ${String(attempt.holder.pid)} has held the lock ${directory} for too long`);
    }
    await delay(20);
  }
}

function numbersIn(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number);
}

function highestIn(directory: string): number {
  return Math.max(0, ...numbersIn(directory));
}

/** Null when the holder released the lock. A number swept away meanwhile has a successor: the caller's create fails. */
function readHolder(directory: string, number: number): ProcessIdentity | null {
  try {
    return parseIdentity(JSON.parse(readFileSync(join(directory, String(number)), 'utf8')));
  } catch {
    return null;
  }
}

function publish(directory: string, number: number): boolean {
  const draft = writeDraft(directory, JSON.stringify(identifySelf()));
  try {
    linkSync(draft, join(directory, String(number)));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The number stays as a tombstone: were it removed, an old reader could take a number below the next holder's. */
function release(directory: string, number: number): void {
  try {
    if (highestIn(directory) === number) {
      renameSync(writeDraft(directory, '"released"'), join(directory, String(number)));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // the whole directory was removed
  }
}

function writeDraft(directory: string, text: string): string {
  const draft = join(directory, `.${randomBytes(8).toString('hex')}`);
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
  return draft;
}

function sweepBelow(directory: string, number: number): void {
  for (const lower of numbersIn(directory)) {
    if (lower < number) rmSync(join(directory, String(lower)), { force: true });
  }
}
