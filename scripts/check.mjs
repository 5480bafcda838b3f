// `npm run check`: types, lint, format, directions, dead code, generated pages; and then the tests. With `--soak` the
// long tests come before them and count as one check.
import { spawnSync } from 'node:child_process';
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
  ['dead code', ['npx', '--no-install', 'knip']],
  ['problem pages', ['node', 'scripts/problems.mjs', '--check']],
  ['settings page', ['node', 'scripts/settings.mjs', '--check']],
  ['links', ['node', 'scripts/links.mjs']],
  ...(process.argv.includes('--soak') ? [['soak', ['node', 'scripts/soak.mjs']]] : []),
];
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
process.exitCode = failed.length === 0 && tests.status === 0 ? 0 : 1;
