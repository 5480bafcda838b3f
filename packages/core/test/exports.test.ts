import { readFileSync } from 'node:fs';
import { expect, test } from '@keyfare/jest-preset/globals';

interface Manifest {
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}

const root = new URL('../../', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Manifest;
const subpaths = Object.entries(manifest.exports);

test('the package has a door for each room and none at its root', () => {
  const rooms = ['encoding', 'log', 'metering', 'money', 'principal', 'problem', 'receipt', 'text', 'time', 'x402'];
  expect(subpaths.map(([path]) => path).toSorted()).toEqual(rooms.map((room) => `./${room}`));
});

test.each(subpaths)('%s can be imported, and its types are there', async (_path, target) => {
  expect(readFileSync(new URL(target.types, root), 'utf8')).toContain('export');
  expect(typeof (await import(new URL(target.default, root).href))).toBe('object');
});
