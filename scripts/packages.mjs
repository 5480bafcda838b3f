// Packs each published package as npm would publish it, and has publint and are-the-types-wrong look at the tarball. Each
// must also hold a README and the license, no tests, and every source that its source maps name.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
install(`${root}release/attw`);
const publint = join(root, 'node_modules/.bin/publint');
const attw = join(root, 'release/attw/node_modules/.bin/attw');
const folder = mkdtempSync(join(tmpdir(), 'keyfare-packages-'));
const faults = [];

/** Runs a program; what it said is a fault of the package when it fails. */
function check(name, command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) faults.push(`${name}: ${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** What is wrong with the list of files in the tarball. */
function contentFaults(place, paths) {
  const missing = ['README.md', 'LICENSE', 'package.json'].filter((path) => !paths.has(path));
  const tests = [...paths].filter((path) => /\.test\.|(^|\/)test\//.test(path));
  const lost = [...paths]
    .filter((path) => path.endsWith('.map'))
    .flatMap((path) =>
      JSON.parse(readFileSync(join(place, path), 'utf8')).sources.map((source) =>
        normalize(join(dirname(path), source)),
      ),
    )
    .filter((source) => !paths.has(source));
  return [
    ...missing.map((path) => `has no ${path}`),
    ...tests.map((path) => `ships the test ${path}`),
    ...lost.map((path) => `has a source map of ${path}, which it does not ship`),
  ];
}

const places = readdirSync(`${root}packages`).map((name) => join(root, 'packages', name));
for (const place of places) {
  const { name, private: isPrivate } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
  if (isPrivate) continue;
  const [packed] = JSON.parse(check(name, 'npm', ['pack', '--json', '--pack-destination', folder, place]));
  const tarball = join(folder, packed.filename);
  check(name, publint, ['run', '--strict', tarball]);
  check(name, attw, [tarball, '--profile', 'esm-only']);
  for (const fault of contentFaults(place, new Set(packed.files.map(({ path }) => path))))
    faults.push(`${name} ${fault}`);
  process.stdout.write(`${name}: ${packed.files.length} files, ${Math.round(packed.size / 1024)} KiB packed\n`);
}
rmSync(folder, { recursive: true, force: true });
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
