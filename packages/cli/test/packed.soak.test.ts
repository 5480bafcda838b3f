import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '@keyfare/devstack/test-database';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
let database: TestDatabase;
let folder: string;

/** As somebody else meets the program: packed, and installed by npm in an empty folder. */
beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'keyfare-packed-'));
  const npm = (args: readonly string[], cwd: string) =>
    execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  for (const name of ['core', 'db', 'evm', 'gate', 'cli']) {
    npm(['pack', '--silent', '--pack-destination', folder], join(root, 'packages', name));
  }
  const tarballs = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  npm(
    ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs.map((file) => `./${file}`)],
    folder,
  );
}, 180_000);
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function keyfare(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(join(folder, 'node_modules/.bin/keyfare'), args, {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
  });
}

it('the installed program helps, migrates, examines and says what it lacks, with their exit codes', () => {
  expect(keyfare(['accounts', 'list', '--help'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('--status'),
  });
  expect(keyfare(['accounts', 'list'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('KEYFARE_OPERATOR_TOKEN'),
  });
  expect(keyfare(['migrate'], { DATABASE_URL: database.url })).toMatchObject({ status: 0, stderr: '' });
  expect(keyfare(['doctor', '--json'])).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('PAY_TO is missing'),
  });
  expect(keyfare(['migrate', '--billing'])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("billing's program is not installed here"),
  });
}, 60_000);

it('publint finds nothing in the package', () => {
  const output = execFileSync(
    join(root, 'node_modules/.bin/publint'),
    ['run', '--strict', join(root, 'packages/cli')],
    {
      encoding: 'utf8',
    },
  );
  expect(output).toMatch(/All good|No errors/i);
});

it('docs/cli.md is what the commands say of themselves', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/cli-page.mjs'), '--check'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
