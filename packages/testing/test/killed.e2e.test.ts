import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSharedHome } from '@keyfare/devstack/home';
import { isPostgresRunning } from '@keyfare/devstack/postgres';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { findKeeper } from '../src/postgres/users.js';

let area: string;

beforeAll(() => {
  area = mkdtempSync(join(tmpdir(), 'keyfare-kit-'));
  chmodSync(area, 0o711); // when root runs the tests, another account runs PostgreSQL in it
});
afterAll(() => rmSync(area, { recursive: true, force: true }));

const program = `
  const { startTestGate } = await import(${JSON.stringify(new URL('../src/gate.js', import.meta.url).href)});
  const gate = await startTestGate();
  process.stdout.write(gate.databaseUrl + '\\n');
  setInterval(() => undefined, 1000);
`;

async function startRunner() {
  const runner = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, KEYFARE_HOME: area },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  runner.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const [line] = (await once(runner.stdout, 'data')) as [Buffer];
  return { runner, databaseUrl: line.toString().trim(), errors: () => errors };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((wake) => setTimeout(wake, 50));
}

it('test runners that are killed leave no server running, and one that lives keeps it', async () => {
  const first = await startRunner();
  const home = openSharedHome(join(area, 'kit'));
  const server = { dataDir: home.postgresDir };
  expect(first.errors()).toContain('first start');
  const second = await startRunner();
  expect(second.errors()).toBe('');
  expect(new URL(second.databaseUrl).port).toBe(new URL(first.databaseUrl).port);
  const keeper = findKeeper(home);
  expect(keeper).not.toBeNull();
  first.runner.kill('SIGKILL');
  // The keeper has seen the death of the first, and of nobody else.
  await until(() => readdirSync(join(home.path, 'users')).length === 1);
  expect([isPostgresRunning(server), findKeeper(home)]).toEqual([true, keeper]);
  second.runner.kill('SIGKILL');
  await until(() => !isPostgresRunning(server) && findKeeper(home) === null);
}, 120_000);
