import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalChain } from '@keyfare/devstack/chain';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery } from '@keyfare/devstack/postgres';
import { type Service, spawnService } from '@keyfare/devstack/processes';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { fundEth } from '@keyfare/devstack/usdc';
import { migrateGate } from '@keyfare/gate/deployment';
import { privateKeyToAccount } from 'viem/accounts';

/** Every name that a test may set, so that the machine's own environment does not reach the program. */
export type Environment = Readonly<Record<string, string>>;

/** One deployment: a database with its three logins, a chain with a funded settler, and the environment of the API. */
export interface Deployment {
  readonly database: TestDatabase;
  readonly chain: LocalChain;
  readonly folder: string;
  readonly env: Environment;
  readonly logins: { readonly owner: string; readonly api: string; readonly billing: string };
  readonly settler: `0x${string}`;
  /** The database as one of its logins. */
  readonly urlOf: (login: string) => string;
  /** A statement in this database, as the superuser. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function openDeployment(): Promise<Deployment> {
  const [database, chain] = await Promise.all([createTestDatabase(), startTestChain()]);
  const folder = mkdtempSync(join(tmpdir(), 'keyfare-cli-'));
  chmodSync(folder, 0o700);
  const mark = randomBytes(5).toString('hex');
  const logins = { owner: `owner_${mark}`, api: `api_${mark}`, billing: `billing_${mark}` };
  const password = 'a-password-of-the-test';
  const sql = (text: string, values: readonly unknown[] = []) => adminQuery(database.url, text, values);
  const urlOf = (login: string): string => {
    const url = new URL(database.url);
    url.username = login;
    url.password = password;
    return url.href;
  };
  for (const login of Object.values(logins)) await sql(`create role ${login} login password '${password}'`);
  await sql(`alter role ${logins.owner} createrole`);
  await sql(`alter database ${database.name} owner to ${logins.owner}`);
  await migrateGate(urlOf(logins.owner));
  await sql(`grant keyfare_gate to ${logins.api}`);
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  const settler = privateKeyToAccount(settlerKey).address.toLowerCase() as `0x${string}`;
  await fundEth(chain.rpcUrl, settler);
  const port = await choosePort();
  return {
    database,
    chain,
    folder,
    logins,
    settler,
    urlOf,
    sql,
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      DATABASE_URL: urlOf(logins.api),
      MIGRATION_DATABASE_URL: urlOf(logins.owner),
      RPC_URL: chain.rpcUrl,
      NETWORK: 'base-sepolia',
      PAY_TO: `0x${randomBytes(20).toString('hex')}`,
      BOOTSTRAP_TOKEN: randomBytes(32).toString('base64url'),
      SETTLER_PRIVATE_KEY: settlerKey,
      RECEIPT_SIGNING_KEY: newSigningKey(),
      API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
    },
    close: async () => {
      await chain.kill();
      await database.drop();
      for (const login of Object.values(logins)) {
        // The owner made the roles of the gate, and granted them: these belong to the server and stay.
        await adminQuery(database.adminUrl, `drop owned by ${login}`).catch(() => undefined);
        await adminQuery(database.adminUrl, `drop role ${login}`).catch(() => undefined);
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const apps = fileURLToPath(new URL('../../../../apps/', import.meta.url));

/** Runs a program as it is shipped; no package imports one. */
async function startProgram(deployment: Deployment, name: 'api' | 'billing', env: Environment): Promise<Service> {
  return spawnService({
    name,
    command: [process.execPath, join(apps, name, 'dist/src/main.js')],
    env: { LOG_LEVEL: 'warn', ...env },
    readyUrl: `http://127.0.0.1:${env['PORT'] ?? ''}/healthz`,
    logPath: join(deployment.folder, `${name}.log`),
    runDir: join(deployment.folder, 'run'),
  });
}

export async function startApi(deployment: Deployment, env: Environment = {}): Promise<Service> {
  return startProgram(deployment, 'api', { ...deployment.env, ...env });
}

/** The environment of billing beside the API. Its logins get their roles from its migrations. */
export async function billingEnv(deployment: Deployment): Promise<Environment> {
  const { env, logins, urlOf } = deployment;
  const port = await choosePort();
  return {
    PATH: env['PATH'] ?? '',
    PORT: String(port),
    DATABASE_URL: urlOf(logins.billing),
    MIGRATION_DATABASE_URL: urlOf(logins.owner),
    RPC_URL: env['RPC_URL'] ?? '',
    NETWORK: 'base-sepolia',
    PAY_TO: env['PAY_TO'] ?? '',
    API_JWKS_URL: `${env['PUBLIC_URL'] ?? ''}/.well-known/jwks.json`,
    RECONCILE_GRACE_SECONDS: '0',
  };
}

export async function startBilling(deployment: Deployment, env: Environment): Promise<Service> {
  return startProgram(deployment, 'billing', env);
}
