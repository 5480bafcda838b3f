import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fundedPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { type Service, spawnService } from '@keyfare/devstack/processes';
import { type GateUnderTest, type Ground, openGround, startGate } from './gate-under-test.js';
import { call, signPayment, verifiedReceipt, withKey } from './requests.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const packages = ['core', 'db', 'evm', 'gate'];

/** As another team would meet the packages: packed, installed by npm, compiled with their own settings, and run. */
describe('a service that is not ours', () => {
  let ground: Ground;
  let gate: GateUnderTest;
  let folder: string;
  let service: Service;
  let url: string;

  beforeAll(async () => {
    ground = await openGround();
    gate = await startGate(ground);
    folder = mkdtempSync(join(tmpdir(), 'keyfare-minimal-'));
    cpSync(join(root, 'examples/minimal-service'), folder, { recursive: true });
    const npm = (args: readonly string[], cwd: string) =>
      execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    for (const name of packages) npm(['pack', '--silent', '--pack-destination', folder], join(root, 'packages', name));
    const tarballs = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
    npm(
      ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs.map((file) => `./${file}`)],
      folder,
    );
    npm(['run', '--silent', 'build'], folder);
    const port = await choosePort();
    url = `http://127.0.0.1:${port}`;
    service = await spawnService({
      name: 'minimal-service',
      command: [process.execPath, join(folder, 'dist/main.js')],
      env: { ...ground.env, PATH: process.env['PATH'] ?? '', PORT: String(port), PUBLIC_URL: url },
      cwd: folder,
      readyUrl: `${url}/.well-known/jwks.json`,
      logPath: join(folder, 'service.log'),
      runDir: join(folder, 'run'),
    });
  }, 180_000);
  afterAll(async () => {
    await service.stop();
    await gate.close();
    await ground.close();
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  it('serves a key and a payment on one route, with receipts that verify', async () => {
    const here = { ...gate, url };
    const { secret } = await gate.issueKey();
    const byKey = await call(here, '/forecast', withKey(secret));
    expect([byKey.status, byKey.body]).toEqual([200, { tomorrow: 'sun' }]);
    expect((await verifiedReceipt(here, byKey)).rail).toBe('key');
    const payer = await fundedPayer(ground.chain, 1);
    const { v2 } = await signPayment(ground, payer);
    const byWallet = await call(here, '/forecast', { headers: v2 });
    expect(byWallet.status).toBe(200);
    expect((await verifiedReceipt(here, byWallet)).rail).toBe('x402');
    expect((await call(here, '/forecast')).status).toBe(402);
  });

  it('stops on SIGTERM with nothing left under way', async () => {
    // Nest's own shutdown hooks raise the signal again once everything is closed.
    expect(await service.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it.each(packages)('installs %s, in which publint finds nothing', (name) => {
    const output = execFileSync(
      join(root, 'node_modules/.bin/publint'),
      ['run', '--strict', join(root, 'packages', name)],
      {
        encoding: 'utf8',
      },
    );
    expect(output).toMatch(/All good|No errors/i);
  });
});
