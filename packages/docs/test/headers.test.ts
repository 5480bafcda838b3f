import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@keyfare/jest-preset/globals';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const rooms = ['packages/gate/src', 'packages/core/src/x402', 'apps/api/src'];
const source = rooms.flatMap(sourcesOf).join('\n');

/** The ways in which the code names a header that it reads or sets. */
const uses = [
  /\bheaders(?:Distinct)?(?:\?\.)?\[['"]([\w-]+)['"]\]/g,
  /\.header\(\s*['"]([\w-]+)['"]/g,
  /\bheaders: \{\s*['"]([\w-]+)['"]/g,
  /'((?:X-)?PAYMENT(?:-[A-Z]+)*)'/g,
  /'(www-authenticate|retry-after|payment-required|cache-control|content-type)':/g,
];

describe('the page of headers', () => {
  const named = new Set(
    [...readFileSync(join(root, 'docs/headers.md'), 'utf8').matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name.toLowerCase()),
    ),
  );

  it('names every header that the gate and the API read or set', () => {
    const used = new Set(uses.flatMap((use) => [...source.matchAll(use)].map(([, name = '']) => name.toLowerCase())));
    expect(used.size).toBeGreaterThan(15);
    expect([...used].filter((name) => !named.has(name))).toEqual([]);
  });

  it('names no header that the code does not know', () => {
    const text = source.toLowerCase();
    expect(named.size).toBeGreaterThan(20);
    expect([...named].filter((name) => !text.includes(name))).toEqual([]);
  });
});

function sourcesOf(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(root, folder, path), 'utf8'));
}
