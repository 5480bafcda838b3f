import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@keyfare/jest-preset/globals';
import { catalogue, formatProblemPage, type ProblemCode } from './index.js';

const root = fileURLToPath(new URL('../../../../../', import.meta.url));
const pages = join(root, 'docs', 'problems');
const codes = Object.keys(catalogue) as readonly ProblemCode[];
const scratch = mkdtempSync(join(tmpdir(), 'keyfare-pages-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function run(...options: readonly string[]): number | null {
  return spawnSync(process.execPath, [join(root, 'scripts', 'problems.mjs'), ...options]).status;
}

test('every code has its page, as the catalogue says, and every page has its code', () => {
  for (const code of codes) expect(readFileSync(join(pages, `${code}.md`), 'utf8')).toBe(formatProblemPage(code));
  const present = readdirSync(pages, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  expect(present.map((path) => path.replaceAll('\\', '/')).toSorted()).toEqual(
    codes.map((code) => `${code}.md`).toSorted(),
  );
});

test('a page states the code, the status, the title and what to do', () => {
  const page = formatProblemPage('payment/outcome-unknown');
  expect(page).toContain('# It is not known yet whether the payment settled\n');
  expect(page).toContain('Code `payment/outcome-unknown`, status 503.');
  expect(page).toContain(catalogue['payment/outcome-unknown'].remedy);
});

test('the check passes for the committed pages', () => {
  expect(run('--check')).toBe(0);
});

test('the check fails for a page that was edited or is missing, and writing mends both', () => {
  const copy = join(scratch, 'pages');
  const cases: readonly (() => void)[] = [
    () => appendFileSync(join(copy, 'payment', 'required.md'), 'Send cash.\n'),
    () => rmSync(join(copy, 'payment', 'required.md')),
  ];
  for (const harm of cases) {
    cpSync(pages, copy, { recursive: true });
    expect(run('--check', '--directory', copy)).toBe(0);
    harm();
    expect(run('--check', '--directory', copy)).toBe(1);
    expect(run('--directory', copy)).toBe(0);
    expect(run('--check', '--directory', copy)).toBe(0);
  }
});

test('a page without a code is reported and never deleted: a code is for ever', () => {
  const copy = join(scratch, 'tip');
  cpSync(pages, copy, { recursive: true });
  writeFileSync(join(copy, 'payment', 'tip.md'), '# A tip\n');
  expect(run('--check', '--directory', copy)).toBe(1);
  expect(run('--directory', copy)).toBe(1);
  expect(existsSync(join(copy, 'payment', 'tip.md'))).toBe(true);
});
