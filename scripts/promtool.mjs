// `node scripts/promtool.mjs`: the alerts of deploy/prometheus are checked and tested by promtool, and so are the queries of
// the dashboard. Installs promtool from Debian's package `prometheus` where it is missing, and fails where it cannot.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const rules = join(root, 'deploy/prometheus/rules.yml');
const tests = join(root, 'deploy/prometheus/rules.test.yml');
const dashboard = join(root, 'deploy/grafana/keyfare.json');

function fail(text) {
  process.stdout.write(`promtool: ${text}\n`);
  process.exit(1);
}

function isThere() {
  return spawnSync('promtool', ['--version'], { stdio: 'ignore' }).status === 0;
}

function install() {
  if (isThere()) return;
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) {
    fail('is missing, and there is no apt-get to install it with');
  }
  if (process.getuid() !== 0) fail('is missing: run `apt-get install prometheus` as root');
  // The package would start a server; a policy says no (invoke-rc.d(8)).
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    for (const args of [
      ['update', '-q'],
      ['install', '-q', '-y', '--no-install-recommends', 'prometheus'],
    ]) {
      if (spawnSync('apt-get', args, { stdio: ['ignore', 2, 2], env }).status !== 0) fail(`apt-get ${args[0]} failed`);
    }
  } finally {
    if (isOurs) rmSync(policy, { force: true });
  }
  if (!isThere()) fail('is not in the package that was installed');
}

/** Grafana's interval is a variable of its own: any duration will do to read the query. */
function dashboardRules() {
  const { panels } = JSON.parse(readFileSync(dashboard, 'utf8'));
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const read = queries.map((expr, index) => ({
    record: `dashboard:query_${index}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }));
  return { groups: [{ name: 'dashboard', rules: read }] };
}

install();
const folder = mkdtempSync(join(tmpdir(), 'keyfare-promtool-'));
try {
  const queries = join(folder, 'dashboard.yml');
  // JSON is YAML.
  writeFileSync(queries, JSON.stringify(dashboardRules()));
  const runs = [
    ['check', 'rules', rules],
    ['check', 'rules', queries],
    ['test', 'rules', tests],
  ];
  const failed = runs.filter((args) => spawnSync('promtool', args, { stdio: 'inherit' }).status !== 0);
  if (failed.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
