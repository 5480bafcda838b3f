import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One run of one program: a pid alone is reused, a pid with its start time and executable is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Unique among all starts of this machine: boot and ticks since boot on Linux, the start date elsewhere. */
  readonly startedAt: string;
  readonly executable: string;
}

/**
 * The process that has this pid now, or null. A zombie of which no thread is left has ended: nobody may have collected
 * it, but nothing runs.
 */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

/** Whether exactly this run is still running, and may hold ports and files. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  if (now === null || now.startedAt !== identity.startedAt) return false;
  // On its way out a process has no executable any more while it still has its ports.
  return now.executable === identity.executable || (process.platform === 'linux' && executableOf(now.pid) === null);
}

let self: ProcessIdentity | undefined;

/** This process. */
export function identifySelf(): ProcessIdentity {
  self ??= identify(process.pid) ?? { pid: process.pid, startedAt: 'unknown', executable: process.execPath };
  return self;
}

/** Reads back what JSON made of an identity; null for anything else (a damaged or foreign file). */
export function parseIdentity(value: unknown): ProcessIdentity | null {
  if (typeof value !== 'object' || value === null) return null;
  const { pid, startedAt, executable } = value as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof executable !== 'string') return null;
  return { pid, startedAt, executable };
}

/** proc(5): the name, field 2, is in parentheses and may hold any character; state and start time come after it. */
function fromProc(pid: number): ProcessIdentity | null {
  const stat = readText(`/proc/${String(pid)}/stat`);
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const ticks = fields[19];
  if (ticks === undefined || state === 'X' || (state === 'Z' && !hasThreads(pid))) return null;
  return { pid, startedAt: `${bootId()}:${ticks}`, executable: executableOf(pid) ?? commandName(stat) };
}

/** The first thread may be gone before the others, which have the same ports and files. */
function hasThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${String(pid)}/task`).length > 1;
  } catch {
    return false;
  }
}

let boot: string | undefined;

function bootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id')?.trim() ?? 'boot';
  return boot;
}

/** An executable replaced while it runs (an upgrade) shows as "path (deleted)": still the same process. */
function executableOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${String(pid)}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return null;
  }
}

function commandName(stat: string): string {
  return stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
}

function fromPs(pid: number): ProcessIdentity | null {
  const answer = spawnSync('ps', ['-o', 'state=,lstart=,comm=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
  const match = /^\s*(\S)\S*\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(\S.*?)\s*$/.exec(answer.stdout);
  const [, state, startedAt, executable] = match ?? [];
  if (state === undefined || startedAt === undefined || executable === undefined || state === 'Z') return null;
  return { pid, startedAt, executable };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
