import { type Figures, median, underLoad } from './load.js';
import { hmacCost, insertCost, signatureCost } from './primitives.js';
import type { Report } from './report.js';
import { startStack } from './stack.js';

/** The call by key: guarded, metered, receipted, durable; beside the same route for nothing and bare Fastify. */
export async function benchKeys(seconds: number): Promise<Report> {
  const stack = await startStack();
  try {
    const pids = { api: stack.gate.pid, postgres: stack.postgresPid };
    const variants = {
      key: { url: `${stack.gate.url}/priced`, headers: { authorization: `Bearer ${stack.gate.secret}` }, pids },
      free: { url: `${stack.gate.url}/free`, pids },
      bare: { url: `${stack.bare.url}/free`, pids: { ...pids, api: stack.bare.pid } },
    };
    const rounds: Record<keyof typeof variants, Figures[]> = { key: [], free: [], bare: [] };
    const names = ['key', 'free', 'bare'] as const;
    for (const name of names)
      await underLoad({ ...variants[name], connections: 64, seconds: Math.max(2, seconds / 2) });
    for (let round = 0; round < 3; round += 1) {
      for (const name of names) rounds[name].push(await underLoad({ ...variants[name], connections: 64, seconds }));
    }
    const [key, free, bare] = [median(rounds.key), median(rounds.free), median(rounds.bare)];
    const [hmac, signature] = [await hmacCost(1_500), await signatureCost(1_500)];
    const insert = await insertCost(stack.postgres.adminUrl, stack.postgresPid, 2_000);
    const floorUs = free.cpuUs + hmac + signature + insert;
    return {
      bench: 'keys',
      figures: { key, free, bare, primitivesUs: { hmac, signature, insert }, floorUs },
      ratios: {
        call_over_floor_cpu: key.cpuUs / floorUs,
        call_over_free_cpu: key.cpuUs / free.cpuUs,
        call_over_bare_cpu: key.cpuUs / bare.cpuUs,
        throughput_of_free: key.requestsPerSecond / free.requestsPerSecond,
      },
    };
  } finally {
    await stack.stop();
  }
}
