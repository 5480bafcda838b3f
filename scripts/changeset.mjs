// `npm run changeset -- add|status|version`: what a change means to users goes into a file of `.changeset`; `version` makes
// the next version and the changelogs of them. The tool is installed on first use, and needs Node 22.11 or newer.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { install } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 11)) {
  process.stderr.write(`The changelog tool needs Node 22.11 or newer; this is ${process.versions.node}.\n`);
  process.exit(1);
}
install(`${root}release`);
const tool = `${root}release/node_modules/@changesets/cli/bin.js`;
const { status } = spawnSync(process.execPath, [tool, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
