// `npm test`: installs and builds what is missing, runs every workspace's tests on the real parts, and ends with one
// line `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { install, prepare } from './install.mjs';
import { runNodes } from './nodes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = `${root}jest-results`;

prepare();
install(`${root}interop/x402-v1`);
rmSync(results, { recursive: true, force: true });
// Two workspaces at a time, whose tests wait for programs half of their time; those that take long count on more of the
// machine.
const atOnce = process.env.KEYFARE_SOAK === '1' ? 1 : 2;
const options = ['--continue', `--concurrency=${atOnce}`, ...process.argv.slice(2)];
const args = ['--no-install', 'turbo', 'run', 'test', ...options];
const { status } = spawnSync('npx', args, { cwd: root, stdio: 'inherit' });
const failedNodes = process.env.KEYFARE_SOAK === '1' ? runNodes() : [];
const { stopTestPostgres } = await import('../packages/devstack/dist/src/test-database.js');
await stopTestPostgres();

const counts = existsSync(results)
  ? readdirSync(results).map((file) => JSON.parse(readFileSync(`${results}/${file}`, 'utf8')))
  : [];
// Once more at the end: a log of thousands of lines may be cut before them.
for (const failure of counts.flatMap(({ failures }) => failures)) process.stdout.write(`FAILED ${failure}\n`);
// What ran before on other servers: its failures are a failed check already.
const before = process.env.KEYFARE_COUNTS ?? '';
if (before !== '' && existsSync(before)) counts.push({ ...JSON.parse(readFileSync(before, 'utf8')), failed: 0 });
const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
// A run that ended badly without a failed test (a crash, a timeout of the runner) is a failure too.
const crashed = (status !== 0 || failedNodes.length > 0) && sum('failed') === 0 ? 1 : 0;
const failed = sum('failed') + crashed + Number(process.env.KEYFARE_FAILED_CHECKS ?? 0);
process.stdout.write(`${sum('passed')} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
