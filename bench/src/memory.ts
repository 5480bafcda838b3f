import { readFileSync } from 'node:fs';
import { underLoad, warmUpCalls } from './load.js';
import type { Report } from './report.js';
import { startStack } from './stack.js';

const keys = 10_000;

/** Calls over many keys for some minutes, and the memory of the gate's process after each. */
export async function benchMemory({ minutes }: { readonly minutes: number }): Promise<Report> {
  const stack = await startStack({ keys });
  try {
    const headers = (stack.gate.secrets ?? []).map((secret) => ({ authorization: `Bearer ${secret}` }));
    let next = 0;
    const load = {
      url: `${stack.gate.url}/priced`,
      nextHeaders: () => {
        next += 1;
        return headers[next % headers.length] ?? null;
      },
      connections: 64,
      pids: { api: stack.gate.pid, postgres: stack.postgresPid },
    };
    await underLoad({ ...load, seconds: 0, amount: warmUpCalls });
    const rss = [residentMiB(stack.gate.pid)];
    while (rss.length <= minutes) {
      await underLoad({ ...load, seconds: 60 });
      rss.push(residentMiB(stack.gate.pid));
    }
    return {
      bench: 'memory',
      figures: { keys, calls: next, rssMiB: rss },
      ratios: { rss_end_over_start: (rss.at(-1) ?? 0) / (rss[0] ?? 1) },
    };
  } finally {
    await stack.stop();
  }
}

/** VmRSS of /proc/<pid>/status (proc(5)). */
function residentMiB(pid: number): number {
  const [, kibibytes = ''] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Number(kibibytes) / 1_024;
}
