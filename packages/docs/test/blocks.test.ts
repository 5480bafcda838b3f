import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { blocksOf, callsOf, readBlocks } from '../src/blocks.js';
import { compile } from './compile.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const folder = fileURLToPath(new URL('../blocks', import.meta.url));
const blocks = readBlocks(root);
const checked = (...languages: string[]) =>
  blocks.filter(({ language, unchecked }) => languages.includes(language) && unchecked === undefined);

describe('the code in the papers', () => {
  it('compiles against the packages, every block of TypeScript', () => {
    const modules = checked('ts', 'tsx', 'typescript');
    expect(modules.length).toBeGreaterThan(7);
    expect(compile(modules, join(folder, 'papers'))).toEqual([]);
  }, 120_000);

  it('is refused with paper and line where it does not compile, whether its import or its type is wrong', () => {
    const text = [
      '# A paper',
      '<!-- context',
      "import { Priced } from '@keyfare/gate/tariff';",
      '-->',
      '',
      '```ts',
      '',
      'const sku: string = Priced;',
      '```',
      '```ts',
      "import { none } from '@keyfare/gate/tariff';",
      '```',
    ].join('\n');
    const faults = compile(blocksOf('docs/a.md', text), join(folder, 'broken'));
    expect(faults).toEqual([
      expect.stringMatching(/^docs\/a\.md:8 .*TS2322/),
      expect.stringMatching(/^docs\/a\.md:11 .*TS2305/),
    ]);
  }, 120_000);

  it('parses, every block of JSON and every body of a curl', () => {
    const documents = checked('json').map(({ code }) => code);
    const bodies = checked('sh', 'bash').flatMap((block) => callsOf(block).flatMap(({ body }) => body ?? []));
    expect(bodies.length).toBeGreaterThan(4);
    const broken = [...documents, ...bodies].filter((text) => !isJson(text));
    expect(broken).toEqual([]);
  });

  it('says why, where it is not checked', () => {
    const marked = blocks.filter(({ unchecked }) => unchecked !== undefined);
    expect(marked.filter(({ unchecked = '' }) => unchecked.length < 10)).toEqual([]);
  });
});

describe('the calls in a block of shell', () => {
  it('are read with method, path and body, over broken lines and quoted variables', () => {
    const code = [
      '# curl "$API/comment"',
      'curl "$API/a?x=1"; curl -X DELETE "$BILLING/b/$ID/c"',
      'curl -H "Authorization: Bearer $TOKEN" "$API/d" \\',
      `  -d '{"account":"'"$ACCOUNT"'"}'`,
      'curl https://example.org/',
    ].join('\n');
    expect(callsOf({ code })).toEqual([
      { method: 'GET', program: 'API', path: '/a', body: undefined },
      { method: 'DELETE', program: 'BILLING', path: '/b/*/c', body: undefined },
      { method: 'POST', program: 'API', path: '/d', body: '{"account":"x"}' },
    ]);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
