import { catalogue, describeCode, type ProblemCode } from './catalogue.js';

/** Whether `text` names a row of the catalogue. */
export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(catalogue, text);
}

/** The Markdown page of one problem: what stands in `docs/problems/<code>.md` and behind a problem's `type`. Total. */
export function formatProblemPage(code: ProblemCode): string {
  const { status, title, remedy } = describeCode(code);
  return [
    `# ${title}`,
    '',
    `Code \`${code}\`, status ${status}.`,
    '',
    '## What to do',
    '',
    remedy,
    '',
    '<!-- Written by scripts/problems.mjs from packages/core/src/problem/catalogue.ts. -->',
    '',
  ].join('\n');
}
