import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { targetOf } from '../src/markdown.js';
import { type Group, indexFolders, navigate } from '../src/navigation.js';
import { readPage, readPages } from '../src/pages.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const site = fileURLToPath(new URL('../site', import.meta.url));
const html = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.html'));

describe('the built site', () => {
  it('has a page for every paper, and names each in the contents', () => {
    const pages = readPages(root);
    expect(pages.length).toBeGreaterThan(100);
    expect(pages.filter(({ path }) => !existsSync(join(site, path)))).toEqual([]);
    const named = pathsOf(navigate(pages));
    expect(pages.filter(({ path }) => !named.has(path)).map(({ path }) => path)).toEqual([]);
  });

  it('has no link into nothing: each leads to a file, and each anchor to a place in it', () => {
    const broken = html.flatMap((page) =>
      linksOf(page).filter((link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? join(site, page) : join(site, dirname(page), path);
        if (!existsSync(target) || statSync(target).isDirectory()) return true;
        return anchor !== undefined && !readFileSync(target, 'utf8').includes(`id="${decodeURI(anchor)}"`);
      }),
    );
    expect(broken).toEqual([]);
  });

  it('loads nothing from elsewhere, and has neither a script nor a style in a page', () => {
    const faults = html.flatMap((page) => {
      const text = readFileSync(join(site, page), 'utf8');
      const inline = /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+="/.exec(text);
      const foreign = /<(?:script|link|img|iframe|source)[^>]*(?:src|href)="(?:https?:)?\/\//.exec(text);
      return [inline, foreign].flatMap((found) => (found === null ? [] : `${page}: ${found[0]}`));
    });
    expect(faults).toEqual([]);
  });

  it('shows what looks like a template as the text that it is', () => {
    const page = html.find((path) => path === 'testing.html') ?? '';
    expect(readFileSync(join(site, page), 'utf8')).toContain('<code>{{ price }}</code>');
  });
});

describe('a paper that is new', () => {
  it('stands in the contents without being named anywhere, and so does its folder, with a list of its pages', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-papers-'));
    mkdirSync(join(folder, 'docs', 'guides'), { recursive: true });
    writeFileSync(join(folder, 'docs', 'quick-start.md'), '# Quick start\n');
    writeFileSync(join(folder, 'docs', 'new.md'), 'Words.\n\n# The `new` page\n\n## A part\n');
    writeFileSync(join(folder, 'docs', 'guides', 'first.md'), '# First\n');
    const pages = readPages(folder);
    expect(navigate(pages)).toEqual([
      { title: 'Start', links: [{ title: 'Quick start', path: 'quick-start.html', children: [] }] },
      {
        title: 'More',
        links: [
          {
            title: 'Guides',
            path: 'guides/index.html',
            children: [{ title: 'First', path: 'guides/first.html', children: [] }],
          },
          { title: 'The new page', path: 'new.html', children: [] },
        ],
      },
    ]);
    expect(indexFolders(pages)).toEqual([
      { folder: 'guides', title: 'Guides', text: '# Guides\n\n- [First](first.md)\n' },
    ]);
    rmSync(folder, { recursive: true });
  });

  it('is refused without a heading; one in a block of code is none', () => {
    expect(() => readPage('docs/a.md', '```sh\n# no heading\n```\n')).toThrow('docs/a.md has no heading');
  });
});

describe('a link in a paper', () => {
  const byPath = new Map([
    ['docs/a.md', 'a.html'],
    ['docs/decisions/0001-b.md', 'decisions/0001-b.html'],
    ['docs/decisions', 'decisions/index.html'],
    ['ARCHITECTURE.md', 'architecture.html'],
  ]);

  it.each([
    ['docs/a.md', 'decisions/0001-b.md#why', { href: 'decisions/0001-b.html#why' }],
    ['docs/decisions/0001-b.md', '../../ARCHITECTURE.md', { href: '../architecture.html' }],
    ['docs/a.md', 'decisions/', { href: 'decisions/index.html' }],
    ['docs/a.md', '#here', { href: '#here' }],
    ['docs/a.md', 'https://example.org/', { href: 'https://example.org/' }],
    ['docs/a.md', '../packages/gate/src/config.ts', { file: 'packages/gate/src/config.ts' }],
  ])('of %s to %s leads to its page, or keeps the name of the file', (source, href, target) => {
    expect(targetOf(href, source, byPath)).toEqual(target);
  });
});

function pathsOf(groups: readonly Group[]): ReadonlySet<string> {
  return new Set(
    groups.flatMap(({ links }) => links.flatMap((link) => [link, ...link.children].map(({ path }) => path))),
  );
}

/** Those that stay on the site. */
function linksOf(page: string): readonly string[] {
  const found = readFileSync(join(site, page), 'utf8').matchAll(/\s(?:href|src)="([^"]*)"/g);
  return [...found].map(([, link = '']) => link).filter((link) => !/^[a-z]+:/.test(link));
}
