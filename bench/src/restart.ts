import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { fundedPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth } from '@keyfare/devstack/usdc';
import { type Balancer, openBalancer } from '@keyfare/fixtures/balancer';
import { SteadyCallers } from '@keyfare/fixtures/steady-callers';
import { privateKeyToAccount } from 'viem/accounts';
import { cpuMicroseconds } from './cpu.js';
import { startFreshPostgres } from './fresh-postgres.js';
import type { Report } from './report.js';
import { untilSettled } from './settled.js';
import { type Stop, start } from './started.js';

const paths = ['/authorization', '/upfront', '/deferred'];
const drainMs = 1_000;

interface Gate {
  readonly child: ChildProcess;
  readonly url: string;
  /** From the start of the process to the first 200 at /readyz. */
  readonly bootMs: number;
  /** What the process used of the CPU until then: on a busy machine the rest of the time it waited for its turn. */
  readonly bootCpuMs: number;
  readonly stop: Stop;
}

/**
 * Two processes behind a balancer, each replaced by a new one as often as the time allows, under load of calls by key
 * and of payments in every flow. A call that is not answered 200 at the first attempt is a failed one.
 */
export async function benchRestart({ seconds }: { readonly seconds: number }): Promise<Report> {
  const { server, stop: stopPostgres } = await startFreshPostgres();
  const [chain, stopChain] = await start(startTestChain, (started) => started.kill());
  const [balancer, stopBalancer] = await start(openBalancer, (opened) => opened.close());
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  await fundEth(chain.rpcUrl, privateKeyToAccount(settlerKey).address);
  const payTo = `0x${randomBytes(20).toString('hex')}` as const;
  const { privateKey } = generateKeyPairSync('ed25519');
  const env = {
    DATABASE_URL: server.adminUrl,
    RPC_URL: chain.rpcUrl,
    PAY_TO: payTo,
    PUBLIC_URL: 'http://gate.bench.invalid',
    NETWORK: 'base-sepolia',
    SETTLER_PRIVATE_KEY: settlerKey,
    RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    API_KEY_PEPPERS: `bench:${randomBytes(32).toString('base64url')}`,
    DEFERRED_AGE_SECONDS: '2',
    DRAIN_MS: String(drainMs),
  };
  const gates = [await startGate(balancer, env), await startGate(balancer, env)];
  // The first one made the schema as well.
  const schemaBootMs = gates[0]?.bootMs ?? 0;
  const load = new SteadyCallers({
    url: balancer.url,
    key: { path: paths[0] ?? '', secret: await askForKey(gates[0] as Gate), callers: 8 },
    paid: { paths, payTo, price: 1_000n },
    payers: await Promise.all([1, 2, 3].map(async (number) => fundedPayer(chain, number))),
    pauseMs: 100,
  });
  load.start();
  await load.more(3);
  const deadline = performance.now() + seconds * 1_000;
  const boots: Gate[] = [];
  do {
    const old = gates.shift() as Gate;
    const fresh = await startGate(balancer, env);
    gates.push(fresh);
    boots.push(fresh);
    await old.stop();
    balancer.remove(old.url);
    await load.more(3);
  } while (load.failed.length === 0 && (boots.length < 2 || performance.now() < deadline));
  await load.stop();
  await untilSettled(server.adminUrl);
  for (const gate of gates) await gate.stop();
  for (const stop of [stopBalancer, stopChain, stopPostgres]) await stop();
  return report(load, { boots, schemaBootMs });
}

function report(
  { served, failed }: SteadyCallers,
  { boots, schemaBootMs }: { readonly boots: readonly Gate[]; readonly schemaBootMs: number },
): Report {
  for (const text of failed.slice(0, 10)) process.stderr.write(`failed: ${text}\n`);
  const times = served.map(({ durationMs }) => durationMs).toSorted((a, b) => a - b);
  return {
    bench: 'restart',
    figures: {
      failed_calls: failed.length,
      boot_ms: middle(boots.map(({ bootMs }) => bootMs)),
      boot_cpu_ms: middle(boots.map(({ bootCpuMs }) => bootCpuMs)),
      boot_with_schema_ms: schemaBootMs,
      restarts: boots.length,
      calls: Object.fromEntries(
        ['key', ...paths].map((kind) => [kind, served.filter((call) => call.kind === kind).length]),
      ),
      longest_call_ms: times.at(-1) ?? 0,
    },
    ratios: {},
  };
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function startGate(balancer: Balancer, env: Readonly<Record<string, string>>): Promise<Gate> {
  const port = String(await choosePort());
  const url = `http://127.0.0.1:${port}`;
  const begunMs = performance.now();
  const begin = async (): Promise<ChildProcess> => {
    const child = fork(fileURLToPath(new URL('restart-server.js', import.meta.url)), {
      env: { ...process.env, ...env, PORT: port },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('a gate ended before it was ready')));
    await Promise.race([balancer.add(url), ended]);
    ended.catch(() => undefined);
    return child;
  };
  const [child, stop] = await start(begin, async (started) => {
    if (started.exitCode !== null || started.signalCode !== null) return;
    const exit = once(started, 'exit');
    started.kill('SIGTERM');
    await exit;
  });
  const bootMs = performance.now() - begunMs;
  return { child, url, bootMs, bootCpuMs: cpuMicroseconds(child.pid ?? 0) / 1_000, stop };
}

async function askForKey({ child }: Gate): Promise<string> {
  const told = once(child, 'message') as Promise<[{ readonly secret: string }]>;
  child.send({});
  return (await told)[0].secret;
}
