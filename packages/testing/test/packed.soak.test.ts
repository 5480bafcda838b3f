import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { isPostgresRunning } from '@keyfare/devstack/postgres';
import { type Service, spawnService } from '@keyfare/devstack/processes';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { startTestGate, type TestGate } from '../src/gate.js';
import { TeamModule } from './team.module.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const packages = ['core', 'db', 'devstack', 'evm', 'gate', 'testing'];
let area: string;

beforeAll(() => {
  area = mkdtempSync(join(tmpdir(), 'keyfare-packed-'));
  chmodSync(area, 0o711); // when root runs the tests, another account runs PostgreSQL in it
  for (const name of packages) npm(['pack', '--silent', '--pack-destination', area], join(root, 'packages', name));
}, 60_000);
afterAll(async () => {
  for (const example of ['minimal-service', 'vitest-service']) {
    const dataDir = join(area, example, 'node_modules/.keyfare/kit/postgres');
    while (isPostgresRunning({ dataDir })) await new Promise((wake) => setTimeout(wake, 50));
  }
  rmSync(area, { recursive: true, force: true });
}, 60_000);

function npm(args: readonly string[], cwd: string): string {
  // Another team's shell: none of the settings of the tests that run this.
  const { PATH, HOME, npm_config_cache: cache } = process.env;
  const env = { PATH, HOME, ...(cache === undefined ? {} : { npm_config_cache: cache }) };
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** As another team would meet the packages: packed, and installed by npm in a folder with nothing of ours. */
function install(example: string): string {
  const folder = join(area, example);
  cpSync(join(root, 'examples', example), folder, { recursive: true });
  const tarballs = readdirSync(area).filter((file) => file.endsWith('.tgz'));
  const quietly = ['--silent', '--no-audit', '--no-fund', '--prefer-offline'];
  npm(['install', ...quietly, ...tarballs.map((file) => join(area, file))], folder);
  return folder;
}

describe('a service that is not ours', () => {
  let gate: TestGate;
  let folder: string;
  let service: Service;
  let url: string;

  beforeAll(async () => {
    folder = install('minimal-service');
    npm(['run', '--silent', 'build'], folder);
    gate = await startTestGate();
    await gate.listen(TeamModule); // another process of the same deployment, which issues the keys
    const port = await choosePort();
    url = `http://127.0.0.1:${port}`;
    service = await spawnService({
      name: 'minimal-service',
      command: [process.execPath, join(folder, 'dist/main.js')],
      env: { ...gate.env, PATH: process.env['PATH'] ?? '', PORT: String(port), PUBLIC_URL: url },
      cwd: folder,
      readyUrl: `${url}/.well-known/jwks.json`,
      logPath: join(folder, 'service.log'),
      runDir: join(folder, 'run'),
    });
  }, 300_000);
  afterAll(async () => {
    await service.stop();
    await gate.stop();
  }, 30_000);

  it('serves a key and a payment on one route, with receipts that verify', async () => {
    const key = await gate.issueKey();
    const byKey = await key.fetch(`${url}/forecast`);
    expect([byKey.status, (await gate.expectReceipt(byKey)).rail]).toEqual([200, 'key']);
    expect(await byKey.json()).toEqual({ tomorrow: 'sun' });
    const byWallet = await gate.payer.fetch(`${url}/forecast`);
    expect([byWallet.status, (await gate.expectReceipt(byWallet)).rail]).toEqual([200, 'x402']);
    expect((await fetch(`${url}/forecast`)).status).toBe(402);
  });

  it('stops on SIGTERM with nothing left under way', async () => {
    // Nest's own shutdown hooks raise the signal again once everything is closed.
    expect(await service.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('runs its own tests in jest, two files at once, with the kit', () => {
    const said = npm(['test', '--', '--json', '--maxWorkers=2'], folder);
    const run = JSON.parse(said.slice(said.indexOf('{"'))) as Record<string, unknown>;
    expect(run).toMatchObject({ success: true, numPassedTests: 4, numPassedTestSuites: 2 });
  }, 180_000);

  it('has no browser and no chain program installed with the kit', () => {
    const installed = readdirSync(join(folder, 'node_modules'));
    expect(installed.filter((name) => /^(playwright|puppeteer|chromium)/.test(name))).toEqual([]);
    expect(installed.filter((name) => ['@foundry-rs', '@sparticuz', '@x402'].includes(name))).toEqual(['@x402']);
  });
});

it('a service in vitest runs its own tests, two files at once, with the kit', () => {
  const said = npm(['test', '--', '--reporter=json'], install('vitest-service'));
  const run = JSON.parse(said.slice(said.indexOf('{"'))) as Record<string, unknown>;
  expect(run).toMatchObject({ success: true, numPassedTests: 3, numTotalTestSuites: 2 });
}, 300_000);
