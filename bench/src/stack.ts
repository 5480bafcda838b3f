import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { PostgresServer } from '@keyfare/devstack/postgres';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { privateKeyToAccount } from 'viem/accounts';
import { startFreshPostgres } from './fresh-postgres.js';
import { type Stop, start } from './started.js';

/** A server under load. */
interface Ready {
  readonly url: string;
  readonly secret: string;
  /** More keys of the same account, where they were asked for. */
  readonly secrets?: readonly string[];
}

interface Server extends Ready {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly stop: Stop;
}

/**
 * PostgreSQL that flushes to disk, the gate, bare Fastify and the hand-written server, each in a process of its own,
 * and a node of constant cost.
 */
export interface Stack {
  readonly postgres: PostgresServer;
  readonly postgresPid: number;
  readonly node: Server;
  readonly gate: Server;
  /** Another process of the same gate, where it was asked for. */
  readonly peer?: Server;
  readonly bare: Server;
  readonly handwritten: Server;
  readonly payTo: `0x${string}`;
  readonly stop: Stop;
}

/** Starts everything on free ports, with its data in a folder that goes away again. */
export async function startStack({
  keys = 1,
  peer: withPeer = false,
}: {
  readonly keys?: number;
  readonly peer?: boolean;
} = {}): Promise<Stack> {
  const { server: postgres, pid: postgresPid, stop: stopPostgres } = await startFreshPostgres();
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  const settler = privateKeyToAccount(settlerKey).address;
  const node = await startServer('fake-node.js', { SETTLER_ADDRESS: settler, USDC_ADDRESS: usdcAddress });
  const payTo = `0x${randomBytes(20).toString('hex')}` as const;
  const { privateKey } = generateKeyPairSync('ed25519');
  const signingKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const gateEnvironment = {
    DATABASE_URL: postgres.adminUrl,
    RPC_URL: node.url,
    PAY_TO: payTo,
    PUBLIC_URL: 'http://gate.bench.invalid',
    NETWORK: 'base-sepolia',
    SETTLER_PRIVATE_KEY: settlerKey,
    RECEIPT_SIGNING_KEY: signingKey,
    API_KEY_PEPPERS: `bench:${randomBytes(32).toString('base64url')}`,
    MAX_TIMEOUT_SECONDS: '3600',
    MAX_OPEN_PER_PAYER_USD: '1000',
    MAX_OPEN_TOTAL_USD: '100000',
    // What is left after a run is collected soon, and not before the run is over.
    DEFERRED_COUNT: '10000',
    DEFERRED_AGE_SECONDS: '15',
    BENCH_KEYS: String(keys),
  };
  const gate = await startServer('server.js', gateEnvironment);
  const peer = withPeer ? await startServer('server.js', { ...gateEnvironment, BENCH_KEYS: '1' }) : undefined;
  const bare = await startServer('bare.js', {});
  const handwritten = await startServer('handwritten.js', {
    DATABASE_URL: postgres.adminUrl,
    RECEIPT_SIGNING_KEY: signingKey,
  });
  return {
    postgres,
    postgresPid,
    node,
    gate,
    ...(peer === undefined ? {} : { peer }),
    bare,
    handwritten,
    payTo,
    stop: async () => {
      await gate.stop();
      await peer?.stop();
      await bare.stop();
      await handwritten.stop();
      await node.stop();
      await stopPostgres();
    },
  };
}

/** As the image and `npm start` run the gate; every server of a bench has them. */
const nodeFlags = ['--max-semi-space-size=64'];

/** Starts a file of this folder, which says by a message that it is ready. */
export async function startServer(file: string, env: Readonly<Record<string, string>>): Promise<Server> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const [{ child, ready }, stop] = await start(
    async () => {
      const forked = fork(path, {
        execArgv: nodeFlags,
        env: { ...process.env, NODE_ENV: 'production', ...env },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      return { child: forked, ready: await readyOf(forked, file) };
    },
    (started) => endProcess(started.child),
  );
  return { ...ready, pid: child.pid ?? 0, child, stop };
}

async function readyOf(child: ChildProcess, file: string): Promise<Ready> {
  return await new Promise<Ready>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Ready));
    child.once('exit', (code) => reject(new Error(`${file} ended with ${String(code)}`)));
  });
}

/** Also where the signal has reached it already: that of a terminal goes to all of its processes. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.removeAllListeners('message');
  child.kill('SIGTERM');
  await exit;
}
