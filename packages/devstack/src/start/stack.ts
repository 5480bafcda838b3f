import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { type Address, parseEther } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { callRpc, type LocalChain, startChain } from '../chain/index.js';
import { type Databases, ensureDatabases } from '../databases.js';
import type { Home } from '../home/index.js';
import { isAlive } from '../identity.js';
import { choosePort, PortTaken } from '../ports.js';
import { databaseUrl, isPostgresRunning, startPostgres, stopPostgres } from '../postgres/index.js';
import { endOrphans, type Service, spawnService } from '../processes.js';
import { fundEth, mintUsdc, usdcAddress, usdcBalance } from '../usdc.js';
import { makeMonthBefore } from './customer.js';

/** What runs, and what is needed to use it. */
export interface Stack {
  readonly api: string;
  readonly billing: string;
  /** Makes one operator, while this API runs. */
  readonly bootstrapToken: string;
  readonly rpc: string;
  readonly databases: Databases;
  readonly chain: LocalChain;
  readonly payTo: Address;
  readonly asset: Address;
  readonly payer: { readonly address: Address; readonly privateKey: `0x${string}` };
  /** Resolves, with the name, when PostgreSQL, the chain or one of the programs ends by itself. */
  readonly failed: Promise<string>;
  /** Stops everything, the programs first. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../../../../../', import.meta.url));
/** The ports that people expect, where they are free. */
const preferredPorts: Readonly<Record<string, number>> = { api: 3_000, billing: 3_001, chain: 8_545 };
const payerFunds = 100_000_000n;

/**
 * Starts PostgreSQL, the chain, the API and billing, from what the home holds or from nothing. `say` hears each step;
 * when it throws, the start ends there and what is up is stopped again.
 */
export async function startStack(home: Home, say: (step: string) => void): Promise<Stack> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    await endOrphans(home.runDir);
    const { superuserUrl, ...databases } = await startDatabase(home, undo);
    say('PostgreSQL is up');
    const { chain, payer, payTo } = await startFundedChain(home, undo);
    say(`chain ${String(chain.chainId)} is up, with test USDC`);
    const month = await makeMonthBefore(home, { databases, superuserUrl, rpcUrl: chain.rpcUrl, payTo });
    if (month !== null) say(`the demo customer called in ${month}: a gate ran with its clock in that month`);
    const bootstrapToken = randomBytes(32).toString('base64url');
    const api = await startApi(home, { databases, chain, payTo, bootstrapToken });
    undo.push(async () => api.service.stop());
    say(`the API is up at ${api.url}`);
    const billing = await startBilling(home, { databases, chain, payTo, apiUrl: api.url });
    undo.push(async () => billing.service.stop());
    say(`billing is up at ${billing.url}`);
    const watch = watchServers(home, chain);
    undo.push(async () => watch.end());
    const failed = Promise.race([
      watch.failed,
      ...[api, billing].map(async ({ service }) => service.ended.then(() => service.name)),
    ]);
    return {
      api: api.url,
      billing: billing.url,
      bootstrapToken,
      rpc: chain.rpcUrl,
      databases,
      chain,
      payTo,
      asset: usdcAddress,
      payer,
      failed,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startDatabase(
  home: Home,
  undo: (() => Promise<unknown>)[],
): Promise<Databases & { readonly superuserUrl: string }> {
  const password = home.secrets.postgresPassword;
  const dataDir = home.postgresDir;
  const server = await onFreePort(home, 'postgres', async (port) => startPostgres({ dataDir, port, password }));
  home.rememberPort('postgres', server.port);
  undo.push(async () => stopPostgres(server));
  return {
    ...(await ensureDatabases(server.adminUrl, password)),
    superuserUrl: databaseUrl(server.adminUrl, 'keyfare'),
  };
}

async function startFundedChain(home: Home, undo: (() => Promise<unknown>)[]) {
  const statePath = home.chainStatePath;
  const chain = await onFreePort(home, 'chain', async (port) => startChain({ port, statePath }));
  home.rememberPort('chain', chain.port);
  undo.push(async () => chain.stop());
  const privateKey = home.secrets.payerKey;
  const payer = { address: privateKeyToAccount(privateKey).address, privateKey };
  const settler = privateKeyToAccount(home.secrets.settlerKey).address;
  // The provider's till: an address that only receives.
  const payTo = privateKeyToAccount(home.secrets.payToKey).address;
  for (const address of [settler, payer.address]) {
    const balance = BigInt(String(await callRpc(chain.rpcUrl, 'eth_getBalance', [address, 'latest'])));
    if (balance < parseEther('1')) await fundEth(chain.rpcUrl, address, parseEther('10'));
  }
  const balance = await usdcBalance(chain.rpcUrl, payer.address);
  if (balance < payerFunds / 2n) await mintUsdc(chain.rpcUrl, payer.address, payerFunds - balance);
  return { chain, payer, payTo };
}

/** PostgreSQL and the chain run on when this process ends, so they are no children of it: they are looked at. */
function watchServers(home: Home, chain: LocalChain): { readonly failed: Promise<string>; end(): void } {
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<string>((resolve) => {
    timer = setInterval(() => {
      if (!isAlive(chain.node)) resolve('chain');
      else if (!isPostgresRunning({ dataDir: home.postgresDir })) resolve('postgres');
    }, 1_000);
  });
  return { failed, end: () => clearInterval(timer) };
}

interface Ground {
  readonly databases: Databases;
  readonly chain: LocalChain;
  readonly payTo: Address;
}

async function startApi(
  home: Home,
  { databases, chain, payTo, bootstrapToken }: Ground & { readonly bootstrapToken: string },
): Promise<{ url: string; service: Service }> {
  return startProgram(home, 'api', {
    DATABASE_URL: databases.apiUrl,
    MIGRATION_DATABASE_URL: databases.ownerUrl,
    RPC_URL: chain.rpcUrl,
    NETWORK: 'base-sepolia',
    PAY_TO: payTo,
    BOOTSTRAP_TOKEN: bootstrapToken,
    // Billing passes on where a browser signs in from.
    TRUSTED_PROXIES: 'loopback',
    SETTLER_PRIVATE_KEY: home.secrets.settlerKey,
    RECEIPT_SIGNING_KEY: home.secrets.receiptKeyPem,
    API_KEY_PEPPERS: `dev:${home.secrets.keyPepper}`,
  });
}

async function startBilling(
  home: Home,
  { databases, chain, payTo, apiUrl }: Ground & { apiUrl: string },
): Promise<{ url: string; service: Service }> {
  return startProgram(home, 'billing', {
    API_URL: apiUrl,
    DATABASE_URL: databases.billingUrl,
    MIGRATION_DATABASE_URL: databases.ownerUrl,
    FEED_DATABASE_URL: databases.billingUrl,
    API_JWKS_URL: `${apiUrl}/.well-known/jwks.json`,
    RPC_URL: chain.rpcUrl,
    NETWORK: 'base-sepolia',
    PAY_TO: payTo,
    // The local chain loses its last second of blocks, final ones too, when it is killed.
    CHAIN_MAY_LOSE_BLOCKS: 'true',
  });
}

/** Where others find the program; the console's cookies are not of TLS alone then. */
const addressOf = (name: string, url: string): Readonly<Record<string, string>> =>
  name === 'billing' ? { CONSOLE_URL: url } : { PUBLIC_URL: url };

/** Settings to try on one of the programs, as in a `.env` file; none where there is no such file. */
function readSettings(path: string): Readonly<Record<string, string>> {
  const settings = existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  return Object.fromEntries(
    Object.entries(settings).filter((setting): setting is [string, string] => setting[1] !== undefined),
  );
}

/** As in the image: a call lives through fewer collections of the young generation (docs/benches.md). */
const nodeFlags = ['--max-semi-space-size=64'];

async function startProgram(
  home: Home,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<{ url: string; service: Service }> {
  const { PATH = '' } = process.env;
  const settings = readSettings(join(home.path, `${name}.env`));
  const logPath = join(home.logDir, `${name}.log`);
  return onFreePort(home, name, async (port) => {
    const url = `http://127.0.0.1:${String(port)}`;
    const service = await spawnService({
      name,
      command: [process.execPath, ...nodeFlags, join(root, 'apps', name, 'dist', 'src', 'main.js')],
      env: {
        PATH,
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        PORT: String(port),
        ...addressOf(name, url),
        ...env,
        ...settings,
      },
      readyUrl: `${url}/readyz`,
      logPath,
      runDir: home.runDir,
    });
    return { url, service };
  });
}

/** Starts on the port of last time, or the usual one, or any: another program may take a free one before ours does. */
async function onFreePort<T>(home: Home, name: string, launch: (port: number) => Promise<T>): Promise<T> {
  let port = await home.choosePort(name, preferredPorts[name]);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launch(port);
    } catch (error) {
      const taken = error instanceof PortTaken || (error instanceof Error && error.message.includes('EADDRINUSE'));
      if (!taken || attempt === 5) throw error;
      port = await choosePort();
      home.rememberPort(name, port);
    }
  }
}

/** The end of a program's log, for when it ended by itself; empty for one that has no log here. */
export function lastLines(home: Home, name: string, lines = 20): string {
  const path = join(home.logDir, `${name}.log`);
  if (!existsSync(path)) return '';
  return ` The end of its log:\n${readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')}`;
}
