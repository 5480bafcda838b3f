// `npm run servers`: suites on real servers beside the PostgreSQL that npm brings: Debian's PostgreSQL 15, pgbouncer in
// transaction mode, and a primary with its standby; and hledger. Installs Debian's packages where they are missing, and fails where it
// cannot. Ends with one line `N passed, N failed`. `--only NAME` runs one of them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { prepare } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = `${root}jest-results`;
const binDir = '/usr/lib/postgresql/15/bin';

const suites = [
  {
    name: 'PostgreSQL 15',
    env: { KEYFARE_TEST_POSTGRES_BIN: binDir },
    files: {
      'packages/db': ['postgres', 'rights'],
      'packages/gate': ['payments', 'flows', 'sequencer', 'schema', 'rights', 'migration'],
      'apps/billing': ['schema', 'intake', 'reconcile', 'invoices', 'ledger'],
      'apps/api': ['crash', 'processes'],
    },
  },
  {
    name: 'pgbouncer',
    isPooled: true,
    files: {
      'packages/db': ['pooled.servers'],
      'packages/gate': ['keys', 'payments', 'allowance', 'sequencer'],
      'apps/billing': ['intake', 'http', 'scheduler'],
      'apps/api': ['processes', 'operators'],
    },
  },
  { name: 'failover', files: { 'apps/api': ['failover.servers'] } },
  // No server, but another real program of Debian's: the exported books balance in it.
  { name: 'hledger', env: { KEYFARE_HLEDGER: 'required' }, files: { 'apps/billing': ['exports'] } },
];

function fail(text) {
  process.stdout.write(`servers: ${text}\n0 passed, 1 failed\n`);
  process.exit(1);
}

function install() {
  const missing = [
    ...(existsSync(`${binDir}/postgres`) && existsSync(`${binDir}/pg_basebackup`) ? [] : ['postgresql-15']),
    ...(existsSync('/usr/sbin/pgbouncer') ? [] : ['pgbouncer']),
    ...(existsSync('/usr/bin/hledger') ? [] : ['hledger']),
  ];
  if (missing.length === 0) return;
  const what = missing.join(' and ');
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) {
    fail(`${what} of Debian 12 missing, and there is no apt-get to install them with`);
  }
  if (process.getuid() !== 0) fail(`${what} missing: run \`apt-get install ${missing.join(' ')}\` as root`);
  // Packages of servers would start them; a policy says no (invoke-rc.d(8)).
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    for (const args of [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', ...missing],
    ]) {
      if (spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status !== 0) {
        fail(`apt-get ${args[0]} failed, so ${what} could not be installed`);
      }
    }
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
}

/** Runs the files of one workspace and answers its counts; a run that ended without counts is one failure. */
function runFiles(workspace, files, env) {
  const prefix = files.map((file) => `dist/test/${file}${file.endsWith('.servers') ? '' : '.e2e'}.test.js`);
  const counts = `${results}/${workspace.split('/')[1]}.json`;
  rmSync(counts, { force: true });
  const { status } = spawnSync('npx', ['--no-install', 'jest', ...prefix, '--runTestsByPath'], {
    cwd: `${root}${workspace}`,
    stdio: 'inherit',
    env: { ...process.env, ...env, KEYFARE_SERVERS_BIN: binDir },
  });
  const found = existsSync(counts) ? JSON.parse(readFileSync(counts, 'utf8')) : { passed: 0, failed: 0 };
  rmSync(counts, { force: true });
  return status !== 0 && found.failed === 0 ? { ...found, failed: 1 } : found;
}

prepare();
install();
mkdirSync(results, { recursive: true });
const only = process.argv[process.argv.indexOf('--only') + 1];
const total = { passed: 0, failed: 0 };
for (const { name, files, env = {}, isPooled = false } of suites) {
  if (process.argv.includes('--only') && only !== name) continue;
  // The fixtures read their environment once, so each suite's server is started and stopped by a process of its own.
  const begun = Date.now();
  const pooler = isPooled ? await startPooler() : undefined;
  const sum = { passed: 0, failed: 0 };
  for (const [workspace, names] of Object.entries(files)) {
    process.stdout.write(`servers: ${name}: ${workspace}\n`);
    const counts = runFiles(workspace, names, { ...env, ...(pooler && { KEYFARE_TEST_POOLER: pooler.setting }) });
    sum.passed += counts.passed;
    sum.failed += counts.failed;
  }
  await pooler?.close();
  stopServer(env);
  process.stdout.write(`servers: ${name}: ${sum.passed} passed, ${sum.failed} failed in ${seconds(begun)} s\n`);
  total.passed += sum.passed;
  total.failed += sum.failed;
}
// What the runner adds up into its own closing line.
if (process.env.KEYFARE_COUNTS !== undefined) writeFileSync(process.env.KEYFARE_COUNTS, JSON.stringify(total));
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

async function startPooler() {
  const { startTestPooler } = await import('../packages/fixtures/dist/src/pooler.js');
  return await startTestPooler();
}

function stopServer(env) {
  const text = `import('${root}packages/devstack/dist/src/test-database.js').then((it) => it.stopTestPostgres())`;
  spawnSync(process.execPath, ['-e', text], { stdio: 'inherit', env: { ...process.env, ...env } });
}

function seconds(begun) {
  return Math.round((Date.now() - begun) / 1_000);
}
