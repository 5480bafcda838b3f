// Renders docs/problems/<room>/<code>.md from the compiled problem catalogue (build packages/core first).
//
//   node scripts/problems.mjs            writes the pages that are missing or not as the catalogue says
//   node scripts/problems.mjs --check    writes nothing; lists every difference and exits 1 if there is one
//   --directory <path>                   works on another directory than docs/problems
//
// A page whose code is gone from the catalogue is an error in both modes and is never deleted: a code is for ever.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { check: { type: 'boolean' }, directory: { type: 'string' } } });
const directory = values.directory ?? fileURLToPath(new URL('../docs/problems', import.meta.url));

const { catalogue, formatProblemPage } = await import('../packages/core/dist/src/problem/index.js');

const wanted = new Map(Object.keys(catalogue).map((code) => [`${code}.md`, formatProblemPage(code)]));
const present = existsSync(directory) ? readdirSync(directory, { recursive: true }) : [];
const stale = present
  .map((path) => path.split(sep).join('/'))
  .filter((path) => path.endsWith('.md') && !wanted.has(path));
const differing = [...wanted].filter(([path, text]) => {
  const file = join(directory, path);
  return !existsSync(file) || readFileSync(file, 'utf8') !== text;
});

for (const path of stale) console.error(`${path}: no such code in the catalogue`);
for (const [path, text] of differing) {
  if (values.check) {
    console.error(`${path}: missing, or not what the catalogue says; run \`node scripts/problems.mjs\``);
  } else {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

const failed = stale.length > 0 || (values.check && differing.length > 0);
console.log(
  `${wanted.size} problem pages, ${differing.length} ${values.check ? 'differ' : 'written'}, ${stale.length} without a code`,
);
process.exitCode = failed ? 1 : 0;
