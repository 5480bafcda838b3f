import { posix } from 'node:path';
import type { TemplateData } from '@11ty/eleventy';
import highlighter from 'highlight.js/lib/common';
import MarkdownIt from 'markdown-it';
import { anchorOf, type Page } from './pages.js';

type Token = ReturnType<MarkdownIt['parse']>[number];

/** Where a link of a paper leads: to a page, out of the site, or nowhere on it. */
export type Target = { readonly href: string } | { readonly file: string };

/** What the renderer must know of the site. */
interface Site {
  readonly pages: readonly Page[];
  /** From Eleventy's input path to the page's source. */
  readonly sourceOf: (inputPath: string) => string;
}

/**
 * The renderer of every page: headings have the anchors that repository browsers give them, links to papers lead to
 * pages, and code is colored while the site is built.
 */
export function createMarkdown(site: Site): MarkdownIt {
  const markdown = new MarkdownIt({ html: true, highlight });
  const byPath = new Map(site.pages.flatMap((page) => placesOf(page).map((place) => [place, page.path] as const)));
  markdown.core.ruler.push('keyfare-anchors', ({ tokens }) => {
    tokens.forEach((token, index) => {
      if (token.type === 'heading_open') token.attrSet('id', anchorOf(tokens[index + 1]?.content ?? ''));
    });
  });
  markdown.core.ruler.push('keyfare-links', ({ tokens, env }) => {
    const source = site.sourceOf((env as TemplateData).page.inputPath);
    for (const { children } of tokens) if (children !== null) leadLinks(children, source, byPath);
  });
  // A wide table or block scrolls by itself; so it must be reached by keyboard.
  markdown.renderer.rules['table_open'] = () =>
    '<div class="wide" tabindex="0" role="group" aria-label="Table"><table>\n';
  markdown.renderer.rules['table_close'] = () => '</table></div>\n';
  return markdown;
}

/** A page is linked to by its file; the index of a folder by the folder, too. */
function placesOf({ source, path }: Page): readonly string[] {
  return path === 'index.html' || path.endsWith('/index.html') ? [source, posix.dirname(source)] : [source];
}

function leadLinks(tokens: readonly Token[], source: string, byPath: ReadonlyMap<string, string>): void {
  const left: Token[] = [];
  for (const token of tokens) {
    if (token.type === 'link_open') {
      const target = targetOf(token.attrGet('href') ?? '', source, byPath);
      if ('href' in target) token.attrSet('href', target.href);
      else {
        token.tag = 'span';
        token.attrs = [['title', target.file]];
      }
      left.push(token);
    } else if (token.type === 'link_close') token.tag = left.pop()?.tag ?? 'a';
  }
}

/** A file of the repository that is no page keeps its name, for the site does not know where the repository is. */
export function targetOf(href: string, source: string, byPath: ReadonlyMap<string, string>): Target {
  if (/^[a-z]+:/i.test(href) || href.startsWith('#')) return { href };
  const [path = '', anchor] = href.split('#');
  const file = posix.join(posix.dirname(source), decodeURI(path)).replace(/\/$/, '');
  const page = byPath.get(file);
  const own = byPath.get(source);
  if (page === undefined || own === undefined) return { file };
  const relative = posix.relative(posix.dirname(own), page);
  return { href: anchor === undefined ? relative : `${relative}#${anchor}` };
}

function highlight(code: string, language: string): string {
  const known = highlighter.getLanguage(language) === undefined ? undefined : language;
  return known === undefined ? '' : highlighter.highlight(code, { language: known }).value;
}
