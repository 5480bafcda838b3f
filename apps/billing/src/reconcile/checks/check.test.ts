import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@keyfare/jest-preset/globals';
import { breakClasses } from './check.js';

const page = fileURLToPath(new URL('../../../../../../docs/breaks.md', import.meta.url));

it('docs/breaks.md explains every class of break, each once, and no other', () => {
  const explained = [...readFileSync(page, 'utf8').matchAll(/^\| `([^`]+)` \| \S/gm)].map(([, name = '']) => name);
  expect(explained.toSorted((a, b) => a.localeCompare(b))).toEqual(breakClasses.toSorted((a, b) => a.localeCompare(b)));
});
