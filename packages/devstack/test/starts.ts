import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from '@keyfare/jest-preset/globals';
import type { Address, Hex } from 'viem';
import { readRecord } from '../src/chain/record.js';
import { isPostgresRunning } from '../src/postgres/index.js';

const cli = fileURLToPath(new URL('../src/start/cli.js', import.meta.url));
export const route = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

export interface Ready {
  readonly api: string;
  readonly billing: string;
  readonly console: string;
  readonly rpc: string;
  readonly databaseUrl: string;
  readonly adminToken: string;
  readonly demoKey: string;
  readonly payer: { readonly address: Address; readonly privateKey: Hex };
  readonly payTo: Address;
  readonly asset: string;
  readonly network: string;
}

export interface Launched {
  readonly process: ChildProcess;
  said(): string;
  complaint(): string;
}

export interface Start extends Launched {
  readonly ready: Ready;
  /** Lines that are not the JSON line. */
  readonly prose: readonly string[];
}

/** `npm start -- --json` without the installing and building, which have happened. */
export function launch(home: string, ...options: string[]): Launched {
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

export async function start(home: string, ...options: string[]): Promise<Start> {
  const launched = launch(home, ...options);
  while (!launched.said().includes('}\n')) {
    const { exitCode } = launched.process;
    if (exitCode !== null) throw new Error(`the start ended with ${String(exitCode)}: ${launched.complaint()}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
  const lines = launched.said().trim().split('\n');
  return { ...launched, ready: JSON.parse(lines.at(-1) ?? '') as Ready, prose: lines.slice(0, -1) };
}

export async function stop({ process: child }: Launched): Promise<number | null> {
  child.kill('SIGINT');
  return ended(child);
}

export async function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

export function chainPid(home: string): number {
  const record = readRecord(join(home, 'chain', 'state.json.node'));
  if (record === null) throw new Error('no chain was started here');
  return record.node.pid;
}

export function nothingRuns(home: string): void {
  expect(readdirSync(join(home, 'run'))).toEqual([]);
  expect(isPostgresRunning({ dataDir: join(home, 'postgres') })).toBe(false);
}

export async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

export async function reconcile({ billing, adminToken }: Ready): Promise<readonly { class: string }[]> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  const response = await fetch(`${billing}/reconciliations`, { method: 'POST', headers, body: '{}' });
  expect(response.status).toBe(202);
  const { id } = (await response.json()) as { id: string };
  for (;;) {
    const answer = await fetch(`${billing}/reconciliations/${id}`, { headers });
    const run = (await answer.json()) as { state: string; breaks?: { class: string }[] };
    if (run.state === 'done') return run.breaks ?? [];
    if (run.state === 'failed' || !answer.ok) throw new Error(`the reconciliation failed: ${JSON.stringify(run)}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** What billing answers to the link that was printed: it lets the owner in once. */
export async function enter({ console: address, billing }: Ready): Promise<number> {
  const { href, hash } = new URL(address);
  const page = await fetch(href);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('/console/assets/')]);
  const body = JSON.stringify({ link: hash.slice(1) });
  const headers = { 'content-type': 'application/json' };
  return (await fetch(`${billing}/session`, { method: 'POST', headers, body })).status;
}

export async function callByKey({ api, demoKey }: Ready): Promise<Response> {
  return fetch(`${api}${route}`, { headers: { authorization: `Bearer ${demoKey}` } });
}

/** What became of the month before this one: its state, its final invoices', and how their PDFs begin. */
export async function closedMonth({ billing, adminToken }: Ready): Promise<object> {
  const now = new Date();
  const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1)).toISOString().slice(0, 7);
  const get = async (path: string) =>
    fetch(`${billing}${path}`, { headers: { authorization: `Bearer ${adminToken}` } });
  const { state } = (await (await get(`/months/${month}`)).json()) as { state: string };
  const { items } = (await (await get(`/invoices?month=${month}`)).json()) as {
    items: { id: string; state: string }[];
  };
  const settled = items.filter((invoice) => invoice.state !== 'draft');
  const pdfs = await Promise.all(settled.map(async ({ id }) => (await get(`/invoices/${id}/pdf`)).text()));
  return {
    state,
    invoices: settled.map((invoice) => invoice.state),
    pdf: pdfs.map((pdf) => pdf.slice(0, 5)).join(' '),
  };
}
