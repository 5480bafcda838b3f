import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Address, Hex } from 'viem';
import { stopChain } from '../src/chain/index.js';
import { readRecord } from '../src/chain/record.js';
import { isPostgresRunning, killPostgres } from '../src/postgres/index.js';
import { transferUsdc } from '../src/usdc.js';

const cli = fileURLToPath(new URL('../src/start/cli.js', import.meta.url));
const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

interface Ready {
  readonly api: string;
  readonly billing: string;
  readonly rpc: string;
  readonly databaseUrl: string;
  readonly adminToken: string;
  readonly demoKey: string;
  readonly payer: { readonly address: Address; readonly privateKey: Hex };
  readonly payTo: Address;
  readonly asset: string;
  readonly network: string;
}

interface Launched {
  readonly process: ChildProcess;
  said(): string;
  complaint(): string;
}

interface Start extends Launched {
  readonly ready: Ready;
  /** Lines that are not the JSON line. */
  readonly prose: readonly string[];
}

/** `npm start -- --json` without the installing and building, which have happened. */
function launch(home: string, ...options: string[]): Launched {
  const child = spawn(process.execPath, [cli, '--json', ...options], {
    env: { ...process.env, KEYFARE_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let complaint = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  return { process: child, said: () => said, complaint: () => complaint };
}

async function start(home: string, ...options: string[]): Promise<Start> {
  const launched = launch(home, ...options);
  while (!launched.said().includes('}\n')) {
    const { exitCode } = launched.process;
    if (exitCode !== null) throw new Error(`the start ended with ${String(exitCode)}: ${launched.complaint()}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
  const lines = launched.said().trim().split('\n');
  return { ...launched, ready: JSON.parse(lines.at(-1) ?? '') as Ready, prose: lines.slice(0, -1) };
}

async function stop({ process: child }: Launched): Promise<number | null> {
  child.kill('SIGINT');
  return ended(child);
}

async function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

function chainPid(home: string): number {
  const record = readRecord(join(home, 'chain', 'state.json.node'));
  if (record === null) throw new Error('no chain was started here');
  return record.node.pid;
}

function nothingRuns(home: string): void {
  expect(readdirSync(join(home, 'run'))).toEqual([]);
  expect(isPostgresRunning({ dataDir: join(home, 'postgres') })).toBe(false);
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

async function reconcile({ billing, adminToken }: Ready): Promise<readonly { class: string }[]> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  const response = await fetch(`${billing}/reconciliations`, { method: 'POST', headers, body: '{}' });
  expect(response.status).toBe(200);
  return ((await response.json()) as { breaks: { class: string }[] }).breaks;
}

async function callByKey({ api, demoKey }: Ready): Promise<Response> {
  return fetch(`${api}${route}`, { headers: { authorization: `Bearer ${demoKey}` } });
}

describe('npm start', () => {
  let homes: readonly [string, string];

  beforeAll(() => {
    homes = [mkdtempSync(join(tmpdir(), 'keyfare-start-')), mkdtempSync(join(tmpdir(), 'keyfare-start-'))];
    for (const home of homes) chmodSync(home, 0o711);
  });
  afterAll(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true });
  });

  it('tells the story on real parts, says one line of JSON, serves, and stops cleanly; two homes run side by side', async () => {
    const [one, two] = await Promise.all([start(homes[0]), start(homes[1], '--no-story')]);
    expect([one.prose, two.prose]).toEqual([[], []]);
    expect(Object.keys(one.ready)).toEqual([
      'api',
      'billing',
      'rpc',
      'databaseUrl',
      'adminToken',
      'demoKey',
      'payer',
      'payTo',
      'asset',
      'network',
    ]);
    expect(one.ready).toMatchObject({ network: 'eip155:84532', asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e' });
    expect(one.ready.api).not.toBe(two.ready.api);
    for (const { ready } of [one, two]) {
      const answer = await callByKey(ready);
      expect(answer.status).toBe(200);
      expect(answer.headers.has('keyfare-receipt')).toBe(true);
      expect((await fetch(`${ready.api}${route}`)).status).toBe(402);
      expect(await reconcile(ready)).toEqual([]);
    }
    await expect(start(homes[0])).rejects.toThrow('in use');
    expect([await stop(one), await stop(two)]).toEqual([0, 0]);
    for (const { ready } of [one, two]) {
      for (const url of [ready.api, ready.billing, ready.rpc]) expect(await answers(url)).toBe(false);
    }
    for (const home of homes) nothingRuns(home);
  }, 90_000);

  it('starts again while a break is open, and leaves it to whoever resolves breaks', async () => {
    const [, home] = homes;
    const { ready, ...first } = await start(home, '--no-story');
    await transferUsdc(ready.rpc, { privateKey: ready.payer.privateKey, to: ready.payTo, value: 1n });
    expect(await stop(first)).toBe(0);
    const second = await start(home);
    expect((await reconcile(second.ready)).map((found) => found.class)).toEqual(['unknown-inbound']);
    expect(await stop(second)).toBe(0);
  }, 90_000);

  it('stops at once when it is told to while it starts, and leaves nothing running', async () => {
    const [, home] = homes;
    const launched = launch(home);
    while (!isPostgresRunning({ dataDir: join(home, 'postgres') })) await new Promise((wake) => setTimeout(wake, 10));
    expect(await stop(launched)).toBe(0);
    expect(launched.said()).toBe('');
    nothingRuns(home);
  }, 60_000);

  it('ends with 1, and says why, when the chain or PostgreSQL dies', async () => {
    const [, home] = homes;
    const one = await start(home, '--no-story');
    const port = new URL(one.ready.rpc).port;
    const exited = ended(one.process);
    process.kill(chainPid(home), 'SIGKILL');
    expect(await exited).toBe(1);
    expect(one.complaint()).toContain('chain ended by itself');
    nothingRuns(home);
    const two = await start(home, '--no-story');
    expect(new URL(two.ready.rpc).port).toBe(port);
    const exitedToo = ended(two.process);
    await killPostgres({ dataDir: join(home, 'postgres') });
    expect(await exitedToo).toBe(1);
    expect(two.complaint()).toMatch(/postgres|api|billing/);
    nothingRuns(home);
  }, 90_000);

  it('continues with the same data, and after a kill -9 of everything, without repair and with whole books', async () => {
    const [home] = homes;
    const before = await start(home, '--no-story');
    const answer = await callByKey(before.ready);
    const receipt = answer.headers.get('receipt-id') ?? '';
    const pids = readdirSync(join(home, 'run')).map((file) => readFileSync(join(home, 'run', file), 'utf8'));
    before.process.kill('SIGKILL');
    for (const record of pids)
      process.kill((JSON.parse(record) as { process: { pid: number } }).process.pid, 'SIGKILL');
    await killPostgres({ dataDir: join(home, 'postgres') });
    const after = await start(home);
    expect(after.ready).toMatchObject({ demoKey: before.ready.demoKey, payTo: before.ready.payTo });
    const found = await fetch(`${after.ready.api}/receipts/${receipt}`);
    expect(await found.text()).toBe(answer.headers.get('keyfare-receipt'));
    expect(await reconcile(after.ready)).toEqual([]);
    expect(await stop(after)).toBe(0);
  }, 90_000);

  it('ends what a start left running that was killed alone', async () => {
    const [, home] = homes;
    const before = await start(home, '--no-story');
    before.process.kill('SIGKILL');
    await new Promise((resolve) => before.process.once('exit', resolve));
    expect(await answers(before.ready.api)).toBe(true);
    const after = await start(home, '--no-story');
    expect(after.ready.api).toBe(before.ready.api);
    expect((await callByKey(after.ready)).status).toBe(200);
    expect(await stop(after)).toBe(0);
    await stopChain(join(home, 'chain', 'state.json'));
  }, 90_000);
});
