import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { migrateBilling } from '@keyfare/billing/database';
import { SqlPool } from '@keyfare/db/sql';
import { choosePort } from '@keyfare/devstack/ports';
import { usdcAddress } from '@keyfare/devstack/usdc';
import { migrateGate } from '@keyfare/gate/database';
import { privateKeyToAccount } from 'viem/accounts';
import { startFreshPostgres } from '../fresh-postgres.js';
import { startProgram } from '../program.js';
import { startServer } from '../stack.js';

/** What the console stands on: PostgreSQL, the API and billing, each a process of its own, and a node. */
export interface House {
  readonly billing: string;
  readonly billingPid: number;
  readonly apiPid: number;
  /** As the superuser. */
  readonly sql: SqlPool;
  /** Makes a link that signs the owner in once. */
  link(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it over what `fill` has put into both schemas. */
export async function startHouse(fill: (sql: SqlPool) => Promise<void>): Promise<House> {
  const { server, stop: stopPostgres } = await startFreshPostgres();
  await migrateGate(server.adminUrl);
  await migrateBilling(server.adminUrl);
  const sql = new SqlPool({ url: server.adminUrl, applicationName: 'bench', queryTimeoutMs: 600_000 });
  await fill(sql);
  const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
  const node = await startServer('fake-node.js', {
    SETTLER_ADDRESS: privateKeyToAccount(settlerKey).address,
    USDC_ADDRESS: usdcAddress,
  });
  const [api, billing] = [await localUrl(), await localUrl()];
  const bootstrapToken = randomBytes(32).toString('base64url');
  const both = {
    NODE_ENV: 'development',
    DATABASE_URL: server.adminUrl,
    RPC_URL: node.url,
    NETWORK: 'base-sepolia',
    PAY_TO: `0x${'a'.repeat(40)}`,
    LOG_LEVEL: 'error',
  };
  const { privateKey } = generateKeyPairSync('ed25519');
  const [apiChild, stopApi] = await startProgram(
    new URL('api-server.js', import.meta.url),
    {
      ...both,
      PORT: new URL(api).port,
      PUBLIC_URL: api,
      BOOTSTRAP_TOKEN: bootstrapToken,
      TRUSTED_PROXIES: 'loopback',
      SETTLER_PRIVATE_KEY: settlerKey,
      RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      API_KEY_PEPPERS: `bench:${randomBytes(32).toString('base64url')}`,
    },
    `${api}/readyz`,
  );
  const [billingChild, stopBilling] = await startProgram(
    new URL('../billing/billing-server.js', import.meta.url),
    {
      ...both,
      PORT: new URL(billing).port,
      CONSOLE_URL: billing,
      API_URL: api,
      API_JWKS_URL: `${api}/.well-known/jwks.json`,
      RECONCILE_WAIT_SECONDS: '0',
    },
    `${billing}/healthz`,
  );
  const owner = await makeOwner(api, bootstrapToken);
  return {
    billing,
    billingPid: billingChild.pid ?? 0,
    apiPid: apiChild.pid ?? 0,
    sql,
    link: async () => (await post<{ link: string }>(`${api}/admin/operators/${owner.id}/link`, owner.token, {})).link,
    stop: async () => {
      await stopBilling();
      await stopApi();
      await node.stop();
      await sql.close();
      await stopPostgres();
    },
  };
}

async function localUrl(): Promise<string> {
  return `http://127.0.0.1:${String(await choosePort())}`;
}

/** Somebody who may do everything and has a password: nothing asks for one. */
async function makeOwner(
  api: string,
  bootstrapToken: string,
): Promise<{ readonly id: string; readonly token: string }> {
  const { operator, token } = await post<{ operator: { id: string }; token: string }>(
    `${api}/admin/operators`,
    bootstrapToken,
    { name: 'bench', role: 'admin' },
  );
  await post(`${api}/admin/operators/self/password`, token, { new: randomBytes(18).toString('base64url') });
  return { id: operator.id, token };
}

async function post<T>(url: string, token: string, body: object): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${String(response.status)}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as T;
}
