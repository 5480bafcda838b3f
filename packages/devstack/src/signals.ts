import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessIdentity } from './identity.js';

/** Signals exactly that run of that program. Nothing happens when it has ended, whoever has its pid by now. */
export function signal(target: ProcessIdentity, name: NodeJS.Signals): void {
  if (isAlive(target)) send(target.pid, name);
}

/**
 * Ends a process and returns when it has ended: SIGTERM (it may have work to finish), and SIGKILL to its whole process
 * group, when it leads one, after `timeoutMs`.
 */
export async function endProcess(target: ProcessIdentity, timeoutMs: number): Promise<void> {
  signal(target, 'SIGTERM');
  signal(target, 'SIGCONT'); // a stopped process takes SIGTERM only when it goes on
  const deadline = performance.now() + timeoutMs;
  while (isAlive(target)) {
    if (performance.now() > deadline) killGroup(target);
    await delay(5);
  }
}

/** Kills a process and what it started, and returns when the process has ended. */
export async function killProcess(target: ProcessIdentity): Promise<void> {
  while (isAlive(target)) {
    killGroup(target);
    await delay(5);
  }
}

/**
 * Freezes a process, and returns when every thread of it stands still: the signal alone takes effect some time later.
 */
export async function freezeProcess(target: ProcessIdentity): Promise<void> {
  signal(target, 'SIGSTOP');
  while (isAlive(target) && !standsStill(target.pid)) await delay(1);
}

/** proc(5): state T is "stopped". Systems that do not tell are believed. */
function standsStill(pid: number): boolean {
  if (process.platform !== 'linux') return true;
  try {
    const threads = readdirSync(`/proc/${String(pid)}/task`);
    return threads.every((thread) =>
      /^State:\s+T/m.test(readFileSync(`/proc/${String(pid)}/task/${thread}/status`, 'utf8')),
    );
  } catch {
    return false; // a thread ended while we looked
  }
}

function killGroup(target: ProcessIdentity): void {
  if (!isAlive(target)) return;
  send(-target.pid, 'SIGKILL');
  send(target.pid, 'SIGKILL');
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended just now, or leads no group
  }
}
