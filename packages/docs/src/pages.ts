import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';

/** One paper of the repository, as a page of the site. */
export interface Page {
  /** Where its text is, from the root of the repository: `docs/quick-start.md`. */
  readonly source: string;
  /** Where the page is, from the root of the site: `quick-start.html`. */
  readonly path: string;
  readonly title: string;
  /** The folder of `docs` it is in: `decisions`, `problems/payment`; empty at the top. */
  readonly folder: string;
  readonly text: string;
  readonly headings: readonly Heading[];
}

/** A heading of the second level. */
interface Heading {
  readonly text: string;
  readonly anchor: string;
}

/** Papers at the root of the repository that are pages, too; those of them that are there. */
const rootPapers = new Set(['ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'UPGRADING.md', 'CHANGELOG.md']);

/** Every page of the site, sorted by path: the Markdown files of `docs`, and the papers at the root. */
export function readPages(root: string): readonly Page[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => posix.join('docs', ...path.split(sep)));
  const atRoot = readdirSync(root).filter((name) => rootPapers.has(name));
  return [...docs, ...atRoot]
    .map((source) => readPage(source, readFileSync(join(root, source), 'utf8')))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The page that a paper makes. A paper without a first heading has no title, and is refused. */
export function readPage(source: string, text: string): Page {
  const prose = withoutCode(text);
  const title = /^# +(.+)$/m.exec(prose)?.[1];
  if (title === undefined) throw new Error(`${source} has no heading "# …", which its title is made of`);
  const path = pathOf(source);
  const folder = posix.dirname(path);
  return {
    source,
    path,
    title: plain(title),
    folder: folder === '.' ? '' : folder,
    text,
    headings: [...prose.matchAll(/^## +(.+)$/gm)].map(([, heading = '']) => ({
      text: plain(heading),
      anchor: anchorOf(heading),
    })),
  };
}

/** A README is the index of its folder, as in a repository browser. Addresses are in lower case. */
function pathOf(source: string): string {
  const path = source.replace(/^docs\//, '').toLowerCase();
  return path.replace(/(^|\/)readme\.md$/, '$1index.md').replace(/\.md$/, '.html');
}

/** The anchor of a heading, as repository browsers and `scripts/links.mjs` make it. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

/** The text without its fenced blocks, in which `#` begins no heading. */
function withoutCode(text: string): string {
  return text.replace(/^```.*?^```$/gms, '');
}

/** A heading without the marks of Markdown: backticks, emphasis, links. */
function plain(heading: string): string {
  return heading
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replace(/[`*]/g, '')
    .trim();
}
