import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/adopting.md'), 'utf8');
const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
let folder: string;

beforeAll(() => {
  // Below the package, so that its name and its dependencies resolve as for one that has installed them.
  folder = mkdtempSync(join(root, 'packages/gate/dist/adopting-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('compiles every block of code in docs/adopting.md under strict settings', () => {
  expect(blocks.length).toBeGreaterThan(3);
  const files = blocks.map((code, index) => {
    const file = join(folder, `block-${index}.mts`);
    writeFileSync(file, code);
    return file;
  });
  const settings = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--types',
    'node',
  ];
  const decorators = ['--experimentalDecorators', '--emitDecoratorMetadata', '--ignoreConfig'];
  const compile = (args: readonly string[]): string => {
    try {
      return execFileSync(join(root, 'node_modules/.bin/tsc'), args, { cwd: folder, encoding: 'utf8' });
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout ?? error);
    }
  };
  expect(compile([...settings, ...decorators, ...files])).toBe('');
}, 120_000);
