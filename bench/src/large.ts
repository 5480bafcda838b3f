import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { underLoad, warmUpCalls } from './load.js';
import { type ArrivalFigures, atRate } from './open-loop.js';
import type { Report } from './report.js';
import { startStack } from './stack.js';

const smallPerSecond = 100;

/** Small calls at a fixed rate, alone and beside callers who fetch answers of 8 MiB one after the other. */
export async function benchLarge({ seconds }: { readonly seconds: number }): Promise<Report> {
  const stack = await startStack();
  try {
    const headers = { authorization: `Bearer ${stack.gate.secret}` };
    const pids = { api: stack.gate.pid, postgres: stack.postgresPid };
    const small = { url: `${stack.gate.url}/priced`, headers, ratePerSecond: smallPerSecond, seconds: seconds * 2 };
    await underLoad({ url: small.url, headers, connections: 64, seconds, amount: warmUpCalls, pids });
    const rounds: { alone: ArrivalFigures; beside: ArrivalFigures; large: number }[] = [];
    while (rounds.length < 2) {
      const alone = await atRate(small);
      const callers = startCallers(`${stack.gate.url}/large`, headers);
      const beside = await atRate(small);
      rounds.push({ alone, beside, large: await callers.stop() });
    }
    const best = (name: 'alone' | 'beside'): ArrivalFigures =>
      rounds.map((round) => round[name]).toSorted((a, b) => a.p99Ms - b.p99Ms)[0] as ArrivalFigures;
    const large = rounds.reduce((sum, round) => sum + round.large, 0);
    if (large === 0) throw new Error('no large answer was fetched');
    return {
      bench: 'large',
      figures: { small: best('alone'), smallBesideLarge: best('beside'), largeCalls: large },
      ratios: { small_p99_beside_large: best('beside').p99Ms / best('alone').p99Ms },
    };
  } finally {
    await stack.stop();
  }
}

/** Callers in a process of their own: reading 8 MiB must not delay the clock of the small calls. */
function startCallers(url: string, headers: { readonly authorization: string }): { stop: () => Promise<number> } {
  const env = { ...process.env, LARGE_URL: url, LARGE_AUTHORIZATION: headers.authorization };
  const path = fileURLToPath(new URL('large-callers.js', import.meta.url));
  const child = fork(path, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const calls = new Promise<number>((resolve, reject) => {
    child.once('message', (count) => resolve(Number(count)));
    child.once('exit', (code) => reject(new Error(`the large callers ended with ${String(code)}`)));
  });
  calls.catch(() => undefined);
  return {
    stop: async () => {
      child.send('stop');
      return await calls;
    },
  };
}
