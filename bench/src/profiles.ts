import { callRpc } from '@keyfare/devstack/chain';
import { underLoad, warmUpCalls } from './load.js';
import { signPayments } from './payments.js';
import { profiled } from './profile.js';
import type { Report } from './report.js';
import { startStack } from './stack.js';

/** Profiles the gate's process under the calls of a bench, after a warm-up, and measures nothing else. */
export async function profileBench(
  bench: string,
  { folder, seconds }: { readonly folder: string; readonly seconds: number },
): Promise<Report> {
  const stack = await startStack();
  const figures: Record<string, unknown> = {};
  const pids = { api: stack.gate.pid, postgres: stack.postgresPid, chain: stack.node.pid };
  const byKey = { headers: { authorization: `Bearer ${stack.gate.secret}` }, connections: 64, seconds, pids };
  try {
    if (bench === 'x402') await callRpc(stack.node.url, 'bench_setBlockTime', [100]);
    for (const name of bench === 'x402' ? ['priced', 'deferred'] : ['priced', 'free']) {
      const url = `${stack.gate.url}/${name}`;
      const run = async (amount?: number): Promise<void> => {
        const load = { ...byKey, url, ...(amount === undefined ? {} : { amount }) };
        if (bench !== 'x402') return void (await underLoad(load));
        const payments = await signPayments(stack.payTo, (amount ?? 6_000) + 512);
        const paid = { url, connections: 256, seconds: 0, pids, amount: amount ?? 6_000 };
        await underLoad({ ...paid, nextHeaders: () => payments.pop() ?? null });
      };
      await run(warmUpCalls);
      const label = bench === 'x402' && name === 'priced' ? 'paid' : name === 'priced' ? 'key' : name;
      figures[label] = await profiled(stack.gate.child, { folder, name: label }, run);
    }
    return { bench: `${bench} profile`, figures, ratios: {} };
  } finally {
    await stack.stop();
  }
}
