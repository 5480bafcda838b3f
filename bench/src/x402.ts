import { callRpc } from '@keyfare/devstack/chain';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { measureBulkGas } from '@keyfare/fixtures/bulk-gas';
import { cpuMicroseconds } from './cpu.js';
import { measurePrimitives, type Primitives } from './floor.js';
import { better, type Figures, underLoad, warmUpCalls } from './load.js';
import { signPayments } from './payments.js';
import type { Report } from './report.js';
import { untilSettled } from './settled.js';
import { type Stack, startStack } from './stack.js';

const connections = 256;
/** Blocks while warming up, and while measuring: as on Base. */
const [quickBlocksMs, blocksMs] = [100, 2_000];
const flows = ['priced', 'deferred'] as const;
/** Calls of each flow in each of the two rounds. Of paid ones, 256 end with a block. */
const callsOf = { priced: 3_072, deferred: 4_096 };

interface NodeCounts {
  readonly singles: number;
  readonly batches: number;
  readonly rows: number;
  readonly head: number;
  readonly lacking: readonly string[];
}

interface Run extends Figures {
  /** CPU for each call until the last payment of the run was settled: for deferred ones the collection is in it. */
  readonly cpuSettledUs: number;
  readonly blockMs: number;
  readonly singles: number;
  readonly batches: number;
  readonly rows: number;
}

/**
 * The paid call: verified, claimed, settled, receipted, durable, at blocks of two seconds. Payments are signed before.
 */
export async function benchX402({ seconds }: { readonly seconds: number }): Promise<Report> {
  const primitives = await measurePrimitives();
  const bulkGas = await bulkGasOnRealChain();
  const stack = await startStack();
  try {
    const bareRun = { url: `${stack.bare.url}/free`, connections: 64, pids: { api: stack.bare.pid }, seconds };
    await setBlocks(stack, quickBlocksMs);
    await demandSingle(stack);
    for (const flow of flows) await paid(stack, flow, warmUpCalls);
    await underLoad({ ...bareRun, amount: warmUpCalls });
    await setBlocks(stack, blocksMs);
    const rounds: { priced: Run; deferred: Run; bare: Figures }[] = [];
    while (rounds.length < 2) {
      const priced = await paid(stack, 'priced', callsOf.priced);
      const deferred = await paid(stack, 'deferred', callsOf.deferred);
      rounds.push({ priced, deferred, bare: await underLoad(bareRun) });
    }
    const { lacking } = await counts(stack);
    if (lacking.length > 0) throw new Error(`the node lacks ${lacking.join(', ')}`);
    return report({ rounds, primitives, bulkGas, idleCpuUsPerSecond: await idleCost(stack) });
  } finally {
    await stack.stop();
  }
}

async function setBlocks(stack: Stack, milliseconds: number): Promise<void> {
  await callRpc(stack.node.url, 'bench_setBlockTime', [milliseconds]);
}

async function counts(stack: Stack): Promise<NodeCounts> {
  return (await callRpc(stack.node.url, 'bench_counts')) as NodeCounts;
}

/** One caller alone, whose payment has a transaction of its own. */
async function demandSingle(stack: Stack): Promise<void> {
  const [headers = {}] = await signPayments(stack.payTo, 1);
  const response = await fetch(`${stack.gate.url}/priced`, { headers });
  const { singles } = await counts(stack);
  if (response.status !== 200 || singles !== 1)
    throw new Error(`a lone payment: ${response.status}, ${singles} single`);
}

async function paid(stack: Stack, route: (typeof flows)[number], amount: number): Promise<Run> {
  const headers = await signPayments(stack.payTo, amount + connections * 2);
  const pids = { api: stack.gate.pid, postgres: stack.postgresPid, chain: stack.node.pid };
  const cpu = (): number => cpuMicroseconds(pids.api) + cpuMicroseconds(pids.postgres);
  const [before, cpuBefore, startedAt] = [await counts(stack), cpu(), performance.now()];
  const nextHeaders = (): Record<string, string> | null => headers.pop() ?? null;
  const url = `${stack.gate.url}/${route}`;
  const figures = await underLoad({ url, nextHeaders, connections, seconds: 0, amount, pids });
  await untilSettled(stack.postgres.adminUrl);
  const cpuSettledUs = (cpu() - cpuBefore) / figures.calls;
  const elapsedMs = performance.now() - startedAt;
  const after = await counts(stack);
  const [singles, batches, rows] = [
    after.singles - before.singles,
    after.batches - before.batches,
    after.rows - before.rows,
  ];
  if (singles + rows < figures.calls) throw new Error(`${singles} + ${rows} settlements of ${figures.calls} payments`);
  if (route === 'deferred' && batches === 0) throw new Error('no deferred payment was settled in bulk');
  return { ...figures, cpuSettledUs, blockMs: elapsedMs / (after.head - before.head), singles, batches, rows };
}

/** What the gate and PostgreSQL use in a second without calls. */
async function idleCost(stack: Stack): Promise<number> {
  const cpu = (): number => cpuMicroseconds(stack.gate.pid) + cpuMicroseconds(stack.postgresPid);
  const before = cpu();
  await new Promise((wake) => setTimeout(wake, 5_000));
  return (cpu() - before) / 5;
}

interface Found {
  readonly rounds: readonly { readonly priced: Run; readonly deferred: Run; readonly bare: Figures }[];
  readonly primitives: Primitives;
  readonly bulkGas: { readonly single: number; readonly batch: number; readonly ratio: number };
  readonly idleCpuUsPerSecond: number;
}

function report({ rounds, primitives, bulkGas, idleCpuUsPerSecond }: Found): Report {
  const call = better(rounds.map(({ priced }) => priced)) as Run;
  const deferred = better(rounds.map((round) => round.deferred)) as Run;
  const bare = better(rounds.map((round) => round.bare));
  for (const { blockMs } of [call, deferred]) {
    if (Math.abs(blockMs - blocksMs) > blocksMs / 4) throw new Error(`a block came every ${blockMs} ms`);
  }
  const { signature, settlementSignature, insert, verify, verifyViem } = primitives;
  const deferredFloorUs = bare.cpuUs + verify + signature + insert;
  const floorUs = deferredFloorUs + settlementSignature;
  return {
    bench: 'x402',
    figures: {
      paid: call,
      deferred,
      bare,
      primitivesUs: primitives,
      floorUs,
      deferredFloorUs,
      bulkGas,
      idleCpuUsPerSecond,
    },
    ratios: {
      paid_over_floor_cpu: call.cpuUs / floorUs,
      deferred_over_floor_cpu: deferred.cpuUs / deferredFloorUs,
      deferred_settled_over_floor_cpu: deferred.cpuSettledUs / deferredFloorUs,
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
