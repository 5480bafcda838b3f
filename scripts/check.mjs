// `npm run check`: types, lint, format, directions, dead code, generated pages, names in runbooks, packed packages; and then the tests. With
// `--soak` the long tests come before them and count as one check. With `--servers` so do the suites on other servers, whose
// counts are added to those of the tests.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
prepare();
/** @type {[string, string[]][]} */
const checks = [
  ['lint', ['npx', '--no-install', 'oxlint', '--type-aware', '--deny-warnings']],
  ['format', ['npx', '--no-install', 'biome', 'check', '.']],
  ['boundaries', ['npx', '--no-install', 'turbo', 'boundaries']],
  ['directions', ['npx', '--no-install', 'depcruise', 'apps', 'packages', 'bench']],
  ['node-local SQL', ['node', 'scripts/node-local.mjs']],
  ['PostgreSQL features', ['node', 'scripts/postgres-features.mjs', '--check']],
  ['long comments and files', ['node', 'scripts/sizes.mjs']],
  ['dead code', ['npx', '--no-install', 'knip']],
  ['problem pages', ['node', 'scripts/problems.mjs', '--check']],
  ['settings page', ['node', 'scripts/settings.mjs', '--check']],
  ['page of the command line', ['node', 'scripts/cli-page.mjs', '--check']],
  ['links', ['node', 'scripts/links.mjs']],
  ['packed packages', ['node', 'scripts/packages.mjs']],
  ['names in runbooks', ['node', 'scripts/names.mjs']],
  // Debian's packages are installed for these where they are missing, which a machine of a developer's may not let them.
  ...(process.argv.includes('--soak') ? [['alerts', ['node', 'scripts/promtool.mjs']]] : []),
  ...(process.argv.includes('--soak') ? [['soak', ['node', 'scripts/soak.mjs']]] : []),
  ...(process.argv.includes('--servers') ? [['servers', ['node', 'scripts/servers.mjs']]] : []),
];
const folder = mkdtempSync(join(tmpdir(), 'keyfare-check-'));
process.env.KEYFARE_COUNTS = join(folder, 'servers.json');
const failed = checks.filter(([name, [command, ...args]]) => {
  process.stdout.write(`check: ${name}\n`);
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status !== 0;
});
for (const [name] of failed) process.stdout.write(`check failed: ${name}\n`);
// The tests' closing line counts a failed check as a failure, so that the last line tells all.
const env = { ...process.env, KEYFARE_FAILED_CHECKS: String(failed.length) };
const tests = process.argv.includes('--no-tests')
  ? { status: 0 }
  : spawnSync('node', ['scripts/test.mjs'], { cwd: root, stdio: 'inherit', env });
rmSync(folder, { recursive: true, force: true });
process.exitCode = failed.length === 0 && tests.status === 0 ? 0 : 1;
