// Makes a fresh checkout runnable with nothing but Node and npm: installs what the lock file says when it is missing or
// older than the lock file, and builds. Uses no package, for there may be none yet.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const oldestNode = [20, 19];

/** Runs a command in the checkout; ends this program with its exit code when it fails. Its output goes to stderr. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  process.stderr.write(`Keyfare needs Node ${oldestNode.join('.')} or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}

/** `npm ci`, unless what is installed is newer than the lock file. */
export function install(folder = root) {
  const lock = `${folder}/package-lock.json`;
  const installed = `${folder}/node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  process.stderr.write('installing packages\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
}

/** Installs and builds what is missing. Without turbo's telemetry and remote cache. */
export function prepare() {
  checkNode();
  install();
  process.env.TURBO_TELEMETRY_DISABLED = '1';
  process.env.DO_NOT_TRACK = '1';
  run('npx', ['--no-install', 'turbo', 'run', 'build', '--output-logs=errors-only', '--log-order=grouped']);
}
