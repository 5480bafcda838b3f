// `node scripts/nodes.mjs`: runs tests of every kind under each version of Node that the code promises to run on, with
// binaries from npm, kept in node_modules/.cache. The version that runs this is left out: all tests run under it.
// Part of `npm run soak`, where its counts go into the closing line.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** The last of 20, of 22, and the one of the Dockerfile; a test compares them. */
export const versions = ['20.20.2', '22.23.3', '24.21.0'];

/** Arithmetic and signatures, Postgres, both rails, what a killed process leaves, the books and their jobs, and the start. */
const all = {
  'packages/core': ['dist/src/x402', 'dist/src/receipt', 'dist/src/money'],
  'packages/db': ['dist/src', 'dist/test'],
  'packages/gate': ['dist/src', 'keys.e2e', '/payments.e2e', 'decision-table.e2e', 'answers.e2e'],
  'apps/api': ['processes.e2e', 'start-refused.e2e', 'watch.e2e'],
  'apps/billing': ['scheduler.e2e', 'lifecycle.e2e', 'reconcile.e2e'],
  'packages/devstack': ['story.soak'],
  'packages/testing': ['dist/src', 'team.e2e', 'listen.e2e'],
};

/** Between the oldest, under which everything runs, and the newest: the parts that lean on Node most, and the start. */
const some = {
  'packages/core': ['dist/src/receipt'],
  'packages/gate': ['decision-table.e2e'],
  'packages/devstack': ['story.soak'],
};

/** The program of a version, from npm. `--ignore-scripts`: the package is the program, and needs none. */
function binaryOf(version) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const place = join(root, 'node_modules/.cache/nodes', version);
  const binary = join(place, 'node_modules', name, 'bin/node');
  if (existsSync(binary)) return binary;
  const args = ['install', '--prefix', place, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', [...args, `${name}@${version}`], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`Node ${version} could not be installed from npm`);
  return binary;
}

/** Whether all suites passed under a version; their counts are left for the closing line. */
function passes(version) {
  const binary = binaryOf(version);
  const suites = version === versions.at(-1) ? all : some;
  const results = Object.entries(suites).map(([workspace, patterns]) => {
    process.stdout.write(`Node ${version}: ${workspace}\n`);
    const { status } = spawnSync(binary, [join(root, 'node_modules/jest/bin/jest.js'), ...patterns], {
      cwd: join(root, workspace),
      stdio: 'inherit',
      // Most are tests of every day, found by their everyday names.
      env: {
        ...process.env,
        PATH: `${dirname(binary)}:${process.env.PATH}`,
        KEYFARE_SOAK: patterns.some((pattern) => pattern.includes('.soak')) ? '1' : '',
        KEYFARE_COUNT_AS: `node-${version}-`,
      },
    });
    return status === 0;
  });
  return results.every(Boolean);
}

/** Runs everything under every version; the versions under which something failed. */
export function runNodes() {
  return versions.filter((version) => version !== process.versions.node && !passes(version));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = runNodes();
  process.stdout.write(`${versions.length} versions of Node, ${failed.length} failed\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
