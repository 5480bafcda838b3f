import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import type { TemplateData, UserConfig } from '@11ty/eleventy';
import { createMarkdown } from './markdown.js';
import { indexFolders, navigate } from './navigation.js';
import { type Page, readPage, readPages } from './pages.js';
import { home, output } from './places.js';

const written = readPages('.');
const made = indexFolders(written).map(({ folder, text }) => readPage(`docs/${folder}/README.md`, text));
/** The papers, and the lists of folders that have no README. */
export const pages: readonly Page[] = [...written, ...made];

/**
 * What Eleventy reads beside the calls. Papers are Markdown and nothing else: what looks like a template in them is
 * text.
 */
export const config: object = { markdownTemplateEngine: false, dir: { includes: `../${home}/theme` } };

/** The papers in `docs` are Eleventy's input; those at the root and the lists of folders are added to it. */
export default function configure(site: UserConfig): void {
  site.setQuietMode(true);
  site.setTemplateFormats(['md']);
  site.setLibrary('md', createMarkdown({ pages, sourceOf: (inputPath) => pageOf(inputPath).source }));
  site.addPassthroughCopy({ 'docs/pictures': 'pictures' });
  for (const { source, path, text } of written) {
    if (!source.startsWith('docs/')) site.addTemplate(path.replace(/html$/, 'md'), text);
  }
  for (const { source, text } of made) site.addTemplate(source.slice('docs/'.length), text);
  site.addGlobalData('layout', 'page.njk');
  site.addGlobalData('assets', {
    style: writeAsset('site.css'),
    search: writeAsset('search.js'),
    icon: writeAsset('icon.svg'),
  });
  site.addGlobalData('groups', navigate(written));
  site.addGlobalData('eleventyComputed', {
    permalink: of(({ path }) => path),
    path: of(({ path }) => path),
    title: of(({ title }) => title),
    headings: of(({ headings }) => headings),
    root: of(({ path }) => '../'.repeat(path.split('/').length - 1) || './'),
    top: of(({ path, folder }) => (folder === '' ? path : `${folder.split('/')[0]}/index.html`)),
  });
}

/** What a page is worked out to, for the data of its template. */
function of(work: (page: Page) => unknown): (data: TemplateData) => unknown {
  return ({ page }) => work(pageOf(page.inputPath));
}

function pageOf(inputPath: string): Page {
  const file = posix.normalize(inputPath);
  const page = pages.find(({ source, path }) => source === file || `docs/${path.replace(/html$/, 'md')}` === file);
  if (page === undefined) throw new Error(`${inputPath} is no page`);
  return page;
}

/** Writes a file of the theme under a name that changes with its contents, so that browsers may keep it for ever. */
function writeAsset(name: string): string {
  const bytes = readFileSync(join(home, 'theme', name));
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const path = `assets/${name.slice(0, -extname(name).length)}-${hash}${extname(name)}`;
  mkdirSync(join(output, 'assets'), { recursive: true });
  writeFileSync(join(output, path), bytes);
  return path;
}
