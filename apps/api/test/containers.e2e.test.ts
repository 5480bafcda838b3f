import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { choosePort } from '@keyfare/devstack/ports';
import { containerEnvironment, readComposeServices, readEnvExample } from '@keyfare/fixtures/compose';
import { instructionsOf, readContext, readStages, wordsOf } from '@keyfare/fixtures/image';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { validate } from 'dockerfile-utils';
import { apiEnvironment, readApiConfig } from '../src/config.js';
import { type Ground, openGround, startApi } from './api-process.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

describe('the Dockerfile', () => {
  it('has no fault that its linter knows', () => {
    const faults = validate(readFileSync(join(root, 'Dockerfile'), 'utf8'));
    expect(faults.map(({ range, message }) => ({ line: range.start.line + 1, message }))).toEqual([]);
    expect(validate('FROM node\nMAINTAINER nobody\nRUNS x')).not.toEqual([]);
  });

  it('pins its base image to a version that tests run under', () => {
    const image = readStages().get('node')?.base;
    const versions = readFileSync(join(root, 'scripts/nodes.mjs'), 'utf8').match(/\d+\.\d+\.\d+/g);
    expect(versions).toContain(/^node:(\d+\.\d+\.\d+)-bookworm-slim$/.exec(image ?? '')?.[1]);
  });

  it.each(['api', 'billing', 'migrate', 'chain'])(
    'makes %s a target that is no user of a name, and is told to end by SIGTERM',
    (target) => {
      const last = (keyword: string) =>
        instructionsOf(target)
          .findLast((instruction) => instruction.getKeyword() === keyword)
          ?.getArgumentsContent();
      expect([last('USER'), last('STOPSIGNAL')]).toEqual(['1000:1000', 'SIGTERM']);
      // The JSON form: no shell is in between that would keep the signal from the program.
      expect(wordsOf(target, 'CMD')[0]).toBe('node');
      // What ends by itself has no health.
      expect(last('HEALTHCHECK')?.includes('docker/healthy.mjs') ?? false).toBe(target !== 'migrate');
    },
  );

  it('takes nothing into its context that git does not know, and neither secrets nor what was built here', () => {
    const wanted = ['apps/api/src/main.ts', 'package-lock.json', 'docker/healthy.mjs', 'turbo.json', '.env.example'];
    const unwanted = ['.env', '.env.production', 'receipt-key.pem', '.keyfare/secrets.json', '.git/config'];
    const built = ['node_modules/pg/index.js', 'apps/api/dist/src/main.js', 'apps/api/node_modules/x/index.js'];
    expect(readContext([...unwanted, ...built, 'packages/core/.turbo/log', ...wanted])).toEqual(wanted);
  });
});

/** Docker itself is not needed here: what the containers would run is run. */
describe('docker-compose.yml', () => {
  const compose = readComposeServices();
  const services = Object.entries(compose);
  const ours = services.filter(([, { image }]) => image === undefined);

  it('has Postgres, the chain, the API and billing, each with a health check', () => {
    expect(services.map(([name]) => name)).toEqual(['postgres', 'chain', 'api', 'billing']);
    expect(services.filter(([, { healthcheck }]) => healthcheck === undefined)).toEqual([]);
  });

  it('runs our programs from a target each, as the user of the image, from files that the build makes', () => {
    expect(ours.map(([name]) => name)).toEqual(['chain', 'api', 'billing']);
    for (const [name, { user, command, build }] of ours) {
      expect(build).toEqual({ context: '.', target: name });
      expect(user).toBe('1000:1000');
      expect(command).toEqual(wordsOf(name, 'CMD'));
      expect(existsSync(join(root, command?.find((word) => word.endsWith('.js')) ?? 'no program'))).toBe(true);
    }
  });

  it('gives the API good settings, and no address that means itself: in a container 127.0.0.1 is nobody else', () => {
    const inside = containerEnvironment('api');
    expect(() => readApiConfig(inside)).not.toThrow();
    const wrong = Object.keys(apiEnvironment.shape).filter(
      (name) => name !== 'PUBLIC_URL' && /127\.0\.0\.1|localhost/.test(inside[name] ?? ''),
    );
    expect(wrong).toEqual([]);
  });

  it('uses no setting that .env.example does not name', () => {
    const known = Object.keys(readEnvExample());
    for (const name of ['api', 'billing']) {
      const settings = Object.keys(compose[name]?.environment ?? {});
      expect(settings.filter((setting) => !known.includes(setting))).toEqual([]);
    }
  });

  it('checks health by a program that tells a living part from a dead one', async () => {
    const healthy = async (kind: string, port: string): Promise<boolean> =>
      promisify(execFile)(process.execPath, [join(root, 'docker/healthy.mjs'), kind, port]).then(
        () => true,
        () => false,
      );
    const ground: Ground = await openGround();
    const api = await startApi(ground);
    try {
      expect(await healthy('http', new URL(api.url).port)).toBe(true);
      expect(await healthy('chain', new URL(ground.chain.rpcUrl).port)).toBe(true);
      const nobody = String(await choosePort());
      expect([await healthy('http', nobody), await healthy('chain', nobody)]).toEqual([false, false]);
    } finally {
      await api.service.stop();
      await ground.close();
    }
  }, 30_000);

  it('runs the chain as a program that keeps its state over a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-chain-'));
    const port = await choosePort();
    const start = (): ChildProcess =>
      spawn(process.execPath, [join(root, 'packages/devstack/dist/src/start/container-chain.js')], {
        env: {
          PATH: process.env['PATH'] ?? '',
          CHAIN_PORT: String(port),
          CHAIN_STATE: join(folder, 'state.json'),
          SETTLER_PRIVATE_KEY: `0x${'11'.repeat(32)}`,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const listening = async (chain: ChildProcess): Promise<void> => {
      for await (const line of chain.stdout ?? []) if (String(line).includes('listens')) return;
    };
    const stopped = async (chain: ChildProcess): Promise<number | null> => {
      chain.kill('SIGTERM');
      return new Promise((resolve) => chain.once('exit', resolve));
    };
    const blockNumber = async (): Promise<number> => {
      const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}';
      const response = await fetch(`http://127.0.0.1:${port}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      return Number(((await response.json()) as { result: string }).result);
    };
    const first = start();
    await listening(first);
    const before = await blockNumber();
    expect(await stopped(first)).toBe(0);
    const second = start();
    await listening(second);
    expect(await blockNumber()).toBeGreaterThanOrEqual(before);
    expect(await stopped(second)).toBe(0);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);
});
