import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from '@keyfare/jest-preset/globals';
import type { Manifest } from '../src/history.js';

const program = fileURLToPath(new URL('../src/main.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'keyfare-seed-'));

afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function command(...args: readonly string[]): Promise<Ended> {
  const script = `import(process.argv[1]).then(async (m) => (process.exitCode = await m.run(process.argv.slice(2))))`;
  const { DATABASE_URL: _database, RPC_URL: _node, NODE_OPTIONS: _options, ...env } = process.env;
  return new Promise((ended) => {
    execFile(process.execPath, ['-e', script, program, ...args], { env }, (failed, out, error) =>
      ended({ code: failed === null ? 0 : Number(failed.code), out, error }),
    );
  });
}

it.each([
  [['--accounts', '1'], '--accounts must be a whole number, 2 at least'],
  [['--calls', '1e3'], '--calls must be a whole number, 50 at least'],
  [['--until', '2026-13'], '--until must be a month, as in 2026-11'],
  [['--colour', 'red'], "Unknown option '--colour'"],
])('%j ends with 2, and says what is wrong and what there is', async (args, fault) => {
  const { code, out, error } = await command(...args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(error).toContain(fault);
  expect(error).toContain('npm run seed --');
});

it('makes a history in a home of its own, and prints where the manifest is; in the same home again it refuses', async () => {
  const args = ['--json', '--home', home, '--accounts', '2', '--calls', '50', '--months', '1', '--no-breaks'] as const;
  const made = await command(...args);
  expect(made).toMatchObject({ code: 0, error: '' });
  expect(JSON.parse(made.out)).toEqual({ manifest: join(home, 'manifest.json') });
  const manifest = JSON.parse(readFileSync(join(home, 'manifest.json'), 'utf8')) as Manifest;
  expect(manifest.breaks.every(({ kind }) => kind === 'business')).toBe(true);
  expect(manifest.entries['call']).toBeGreaterThan(50);
  const again = await command(...args);
  expect(again).toMatchObject({ code: 1, out: '' });
  expect(again.error).toContain('has a log already');
}, 90_000);
