import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Usage {
  readonly parent: number;
  /** User and system time, with that of children that have ended. */
  readonly ticks: number;
}

/** Fields 4, 14, 15, 16 and 17 of /proc/<pid>/stat (proc(5)); the name in field 2 may hold anything. */
function read(pid: number): Usage | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return null;
  }
}

/**
 * CPU microseconds that a process and all below it have used: all threads, and children that have ended, whose time the
 * parent that waited for them holds (PostgreSQL's postmaster waits for its backends).
 */
export function cpuMicroseconds(root: number): number {
  const all = new Map<number, Usage>();
  for (const name of readdirSync('/proc')) {
    const usage = /^\d+$/.test(name) ? read(Number(name)) : null;
    if (usage !== null) all.set(Number(name), usage);
  }
  const ticksBelow = (pid: number): number => {
    let sum = all.get(pid)?.ticks ?? 0;
    for (const [child, { parent }] of all) if (parent === pid) sum += ticksBelow(child);
    return sum;
  };
  return (ticksBelow(root) / ticksPerSecond) * 1_000_000;
}
