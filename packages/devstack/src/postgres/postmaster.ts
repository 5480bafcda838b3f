import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, type ProcessIdentity } from '../identity.js';

/** What a data directory's postmaster.pid says. */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number;
  /** "starting", "ready", …; empty when the server was killed before it wrote one. */
  readonly status: string;
}

/** Lines 1, 4 and 8 of the file (PostgreSQL, miscadmin.h). Null when there is none, or it is not written out yet. */
export function readPostmasterFile(dataDir: string): PostmasterFile | null {
  try {
    const lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isSafeInteger(pid) && pid > 0
      ? { pid, port: Number(lines[3]), status: (lines[7] ?? '').trim() }
      : null;
  } catch {
    return null;
  }
}

/**
 * The running server of the data directory, or null. A file alone proves nothing: its pid may have ended, be a zombie,
 * or belong by now to another program.
 */
export function findPostmaster(dataDir: string): (PostmasterFile & { readonly identity: ProcessIdentity }) | null {
  const file = readPostmasterFile(dataDir);
  const identity = file && identify(file.pid);
  if (file === null || identity === null || !basename(identity.executable).startsWith('postgres')) return null;
  return servesDirectory(file.pid, dataDir) ? { ...file, identity } : null;
}

/** Every PostgreSQL process works in its data directory, and pg_ctl names it on the postmaster's command line. */
function servesDirectory(pid: number, dataDir: string): boolean {
  if (process.platform === 'linux') return workingDirectory(pid) === realpathSync(dataDir);
  return spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout.includes(dataDir);
}

/**
 * Waits until no process works in the data directory any more, for at most `timeoutMs`: the children of a killed
 * postmaster still hold its shared memory for a moment. Where the system does not tell, the server's own check decides.
 */
export async function waitForChildren(dataDir: string, timeoutMs: number): Promise<void> {
  if (process.platform !== 'linux') return;
  const directory = realpathSync(dataDir);
  const deadline = performance.now() + timeoutMs;
  while (pids().some((pid) => workingDirectory(pid) === directory && identify(pid) !== null)) {
    if (performance.now() > deadline) throw new Error(`processes of an ended PostgreSQL still run in ${dataDir}`);
    await delay(20);
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Null when the process has ended, or is another account's. */
function workingDirectory(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${String(pid)}/cwd`);
  } catch {
    return null;
  }
}
