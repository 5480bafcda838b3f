import { callRpc } from '@keyfare/devstack/chain';
import { measureBulkGas } from '@keyfare/testing/bulk-gas';
import { startTestChain } from '@keyfare/testing/chain';
import { better, type Figures, underLoad, warmUpCalls } from './load.js';
import { signPayments } from './payments.js';
import { insertCost, settlementSignatureCost, signatureCost, verifyCosts } from './primitives.js';
import type { Report } from './report.js';
import { type Stack, startStack } from './stack.js';

const connections = 256;
/** Blocks while warming up, and while measuring: as on Base. */
const [quickBlocksMs, blocksMs] = [100, 2_000];
/** Until the gate has the deferred flow, the route `/deferred` settles like the other and its figure means nothing. */
const hasDeferredFlow = true;
const flows = hasDeferredFlow ? (['priced', 'deferred'] as const) : (['priced'] as const);

/** The paid call: verified, claimed, settled, receipted, durable, at blocks of two seconds. Payments are signed before. */
export async function benchX402({ seconds }: { readonly seconds: number }): Promise<Report> {
  const stack = await startStack();
  try {
    const pids = { api: stack.gate.pid, postgres: stack.postgresPid, chain: stack.node.pid };
    const bareRun = { url: `${stack.bare.url}/free`, connections: 64, pids: { ...pids, api: stack.bare.pid }, seconds };
    await callRpc(stack.node.url, 'bench_setBlockTime', [quickBlocksMs]);
    for (const flow of flows) await paid(stack, flow, warmUpCalls);
    await underLoad({ ...bareRun, amount: warmUpCalls });
    await callRpc(stack.node.url, 'bench_setBlockTime', [blocksMs]);
    const rounds: { readonly [name: string]: Figures }[] = [];
    while (rounds.length < 2) {
      const found: [string, Figures][] = [];
      for (const flow of flows) found.push([flow, await paid(stack, flow, connections * 2 * seconds)]);
      rounds.push({ ...Object.fromEntries(found), bare: await underLoad(bareRun) });
    }
    return await report(stack, (name) => better(rounds.flatMap((round) => round[name] ?? [])));
  } finally {
    await stack.stop();
  }
}

async function paid(stack: Stack, route: string, amount: number): Promise<Figures> {
  const headers = await signPayments(stack.payTo, amount + connections * 2);
  return await underLoad({
    url: `${stack.gate.url}/${route}`,
    nextHeaders: () => headers.pop() ?? null,
    connections,
    seconds: 0,
    amount,
    pids: { api: stack.gate.pid, postgres: stack.postgresPid, chain: stack.node.pid },
  });
}

async function report(stack: Stack, pick: (name: string) => Figures): Promise<Report> {
  const [call, bare] = [pick('priced'), pick('bare')];
  const signature = await signatureCost(1_500);
  const settlementSignature = await settlementSignatureCost(1_500);
  const insert = await insertCost(stack.postgres.adminUrl, stack.postgresPid, 2_000);
  const { ours: verify, viems: verifyViem } = await verifyCosts(2_000);
  const deferredFloorUs = bare.cpuUs + verify + signature + insert;
  const floorUs = deferredFloorUs + settlementSignature;
  const bulkGas = await bulkGasOnRealChain();
  const deferred = hasDeferredFlow ? pick('deferred') : null;
  return {
    bench: 'x402',
    figures: {
      paid: call,
      ...(deferred === null ? {} : { deferred }),
      bare,
      primitivesUs: { signature, settlementSignature, insert, verify, verifyViem },
      floorUs,
      deferredFloorUs,
      bulkGas,
    },
    ratios: {
      paid_over_floor_cpu: call.cpuUs / floorUs,
      ...(deferred === null ? {} : { deferred_over_floor_cpu: deferred.cpuUs / deferredFloorUs }),
      bulk_gas: bulkGas.ratio,
      verify_vs_viem: verifyViem / verify,
    },
  };
}

async function bulkGasOnRealChain(): Promise<{ single: number; batch: number; ratio: number }> {
  const chain = await startTestChain();
  try {
    return await measureBulkGas(chain, 100);
  } finally {
    await chain.kill();
  }
}
