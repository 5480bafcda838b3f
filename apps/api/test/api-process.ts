import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalChain } from '@keyfare/devstack/chain';
import { choosePort } from '@keyfare/devstack/ports';
import { type Service, spawnService } from '@keyfare/devstack/processes';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { fundEth } from '@keyfare/devstack/usdc';
import { privateKeyToAccount } from 'viem/accounts';

const mainPath = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** What the API processes of one test share. */
export interface Ground {
  readonly database: TestDatabase;
  readonly chain: LocalChain;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly payTo: `0x${string}`;
  close(): Promise<void>;
}

/** A database, a chain and the secrets of one deployment. */
export async function openGround(
  makeDatabase: () => Promise<TestDatabase> = () => createTestDatabase(),
): Promise<Ground> {
  const [database, chain] = await Promise.all([makeDatabase(), startTestChain()]);
  const folder = mkdtempSync(join(tmpdir(), 'keyfare-api-'));
  chmodSync(folder, 0o700);
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  await fundEth(chain.rpcUrl, privateKeyToAccount(settlerKey).address);
  const payTo = `0x${randomBytes(20).toString('hex')}` as const;
  return {
    database,
    chain,
    folder,
    payTo,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...database.env,
      RPC_URL: chain.rpcUrl,
      NETWORK: 'base-sepolia',
      PAY_TO: payTo,
      BOOTSTRAP_TOKEN: randomBytes(32).toString('base64url'),
      SETTLER_PRIVATE_KEY: settlerKey,
      RECEIPT_SIGNING_KEY: generateKeyPairSync('ed25519')
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
      API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
    },
    close: async () => {
      await chain.kill();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// Billing is the other program: it is run, not imported.
const billingMain = fileURLToPath(new URL('../../../billing/dist/src/main.js', import.meta.url));

/** A running billing process. */
export interface Billing {
  readonly url: string;
  readonly service: Service;
  /** A reconciliation of everything, now. */
  reconcile(): Promise<Reconciliation>;
  /** A POST as the operator. */
  post<T>(path: string, body: object): Promise<T>;
}

/** What a reconciliation found. */
interface Reconciliation {
  readonly breaks: readonly { readonly class: string; readonly keys: Readonly<Record<string, string>> }[];
  readonly report: {
    readonly unchecked: readonly string[];
    readonly entries: { readonly complete: boolean; readonly bad: number };
    readonly calls: readonly { readonly rail: string; readonly count: number }[];
    readonly chain: { readonly in: string };
  };
}

/** Starts billing beside an API, as it is shipped. */
export async function startBilling(ground: Ground, api: Api): Promise<Billing> {
  const port = String(await choosePort());
  const url = `http://127.0.0.1:${port}`;
  const token = await operatorToken(ground, api);
  const names = [
    'PATH',
    'DATABASE_URL',
    'DIRECT_DATABASE_URL',
    'MIGRATION_DATABASE_URL',
    'RPC_URL',
    'NETWORK',
    'PAY_TO',
  ];
  const shared = names.map((name) => [name, ground.env[name] ?? '']);
  const service = await spawnService({
    name: 'billing',
    command: [process.execPath, billingMain],
    env: {
      ...Object.fromEntries(shared),
      PORT: port,
      LOG_LEVEL: 'warn',
      API_JWKS_URL: `${api.url}/.well-known/jwks.json`,
      // Nothing is excused for being young: what one side knows, the others must know.
      RECONCILE_GRACE_SECONDS: '0',
    },
    readyUrl: `${url}/healthz`,
    logPath: join(ground.folder, 'billing.log'),
    runDir: join(ground.folder, 'run'),
  });
  const post = async <T>(path: string, body: object): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await response.json()) as T;
  };
  const reconcile = async (): Promise<Reconciliation> => {
    const { id } = await post<{ id: string }>('/reconciliations', { scope: 'full' });
    for (;;) {
      const response = await fetch(`${url}/reconciliations/${id}`, { headers: { authorization: `Bearer ${token}` } });
      const run = (await response.json()) as Reconciliation & { state: string };
      if (run.state === 'done') return run;
      if (run.state === 'failed' || !response.ok) throw new Error(`the reconciliation failed: ${JSON.stringify(run)}`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  };
  return { service, url, post, reconcile };
}

/** A running API process. */
export interface Api {
  readonly url: string;
  readonly service: Service;
  /** What it wrote, so far. */
  log(): string;
}

/** Starts the API as it is shipped: `node dist/src/main.js` with nothing but its environment. */
export async function startApi(
  ground: Ground,
  env: Readonly<Record<string, string>> = {},
  main = mainPath,
): Promise<Api> {
  const port = Number(env['PORT'] ?? (await choosePort()));
  const url = `http://127.0.0.1:${port}`;
  const logPath = join(ground.folder, `api-${port}.log`);
  const service = await spawnService({
    name: `api-${port}`,
    command: [process.execPath, main],
    env: { ...ground.env, PUBLIC_URL: url, ...env, PORT: String(port) },
    readyUrl: `${url}/readyz`,
    logPath,
    runDir: join(ground.folder, 'run'),
    stopTimeoutMs: 60_000,
  });
  return { url, service, log: () => readFileSync(logPath, 'utf8') };
}

/**
 * What `/readyz` says once it finds all well, and knows the settler's funds: a part that is asked for the first time
 * may not answer in its time.
 */
export async function readiness({ url }: Pick<Api, 'url'>): Promise<Readonly<Record<string, unknown>>> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const text = await (await fetch(`${url}/readyz`)).text();
    const answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const isAll = answer['status'] === 'ready' && !text.includes('"funds":null');
    if (isAll || Date.now() > deadline) return answer;
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Waits until the process has written the text: lines are written in the background. Answers its whole lines. */
export async function logged(api: Api, text: string): Promise<string> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const log = api.log();
    const whole = log.slice(0, log.lastIndexOf('\n') + 1);
    if (whole.includes(text)) return whole;
    if (Date.now() > deadline) throw new Error(`the log never said ${text}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const tokens = new WeakMap<Ground, Promise<string>>();

/** The token of the ground's operator, made with the bootstrap token by who asks first. */
export async function operatorToken(ground: Ground, api: Api): Promise<string> {
  const known = tokens.get(ground) ?? bootstrap(ground, api);
  tokens.set(ground, known);
  return known;
}

async function bootstrap(ground: Ground, api: Api): Promise<string> {
  const response = await fetch(`${api.url}/admin/operators`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ground.env['BOOTSTRAP_TOKEN']}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'test', scopes: ['read', 'write', 'money'] }),
  });
  return ((await response.json()) as { token: string }).token;
}

/** One request to the admin API. */
export async function admin<T>(ground: Ground, api: Api, path: string, body?: unknown): Promise<T> {
  const token = await operatorToken(ground, api);
  const response = await fetch(`${api.url}/admin${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** An account on a plan of its own, and a key. */
export async function openAccount(
  ground: Ground,
  api: Api,
  plan: { includedUnits: number; overage: string; overagePrice?: string },
): Promise<{ account: string; keyId: string; secret: string }> {
  const slug = `plan-${randomBytes(6).toString('hex')}`;
  await admin(ground, api, '/plans', { slug, ...plan });
  const { id } = await admin<{ id: string }>(ground, api, '/accounts', { name: 'Test', plan: slug });
  const { secret, key } = await admin<{ secret: string; key: { id: string } }>(ground, api, `/accounts/${id}/keys`, {});
  return { account: id, keyId: key.id, secret };
}
