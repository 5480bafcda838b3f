// `node scripts/sizes.mjs`: comment lines of at most 120 columns, which the formatter leaves as they are, and source files of
// at most 400 lines. A line that is one word, such as an address, may be longer.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const patterns = [
  'apps/*/src/*.ts',
  'apps/*/test/*.ts',
  'packages/*/src/*.ts',
  'packages/*/test/*.ts',
  'bench/src/*.ts',
];
const paths = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...patterns], {
  cwd: root,
  encoding: 'utf8',
});
const comment = /^\s*(?:\/\*\*|\*|\/\/) (.*)$/;

const faults = paths
  .split('\n')
  .filter((path) => path !== '')
  .flatMap((path) => {
    const lines = readFileSync(`${root}${path}`, 'utf8').split('\n');
    const wide = lines.flatMap((line, index) => {
      const text = comment.exec(line)?.[1];
      const isLong = text !== undefined && line.length > 120 && text.trim().includes(' ');
      return isLong ? [`${path}:${index + 1}: ${line.length} columns`] : [];
    });
    const isSource = path.includes('/src/') && !path.includes('.test.');
    return wide.concat(isSource && lines.length > 401 ? [`${path}: ${lines.length - 1} lines`] : []);
  });
for (const fault of faults) console.error(fault);
console.log(`${faults.length} comments or files that are too long`);
process.exitCode = faults.length === 0 ? 0 : 1;
