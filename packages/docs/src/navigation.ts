import { posix } from 'node:path';
import type { Page } from './pages.js';

/** A group of links in the contents that stand beside every page. */
export interface Group {
  readonly title: string;
  readonly links: readonly Link[];
}

/** A page in the contents; the pages of its folder below it are shown while one of them is read. */
interface Link {
  readonly title: string;
  readonly path: string;
  readonly children: readonly Link[];
}

/** A page that lists a folder which has no README of its own. */
export interface FolderIndex {
  /** `decisions`. */
  readonly folder: string;
  readonly title: string;
  readonly text: string;
}

/** The order of what a newcomer reads first. A page that no group names stands under `More`, a folder too. */
const groups: readonly { readonly title: string; readonly paths: readonly string[]; readonly isOpen?: boolean }[] = [
  {
    title: 'Start',
    paths: ['index.html', 'quick-start.html', 'how-it-works.html', 'how-money-moves.html', 'adopting.html'],
  },
  { title: 'Recipes', paths: ['recipes/'], isOpen: true },
  {
    title: 'Reference',
    paths: ['tariffs.html', 'settings.html', 'headers.html', 'problems/', 'cli.html', 'glossary.html'],
  },
  {
    title: 'Run it',
    paths: ['operators.html', 'runbooks/', 'breaks.html', 'database.html', 'upgrading.html', 'changelog.html'],
  },
  {
    title: 'Build on it',
    paths: ['testing.html', 'architecture.html', 'decisions/', 'benches.html', 'contributing.html', 'security.html'],
  },
];

const titles: Readonly<Record<string, string>> = {
  decisions: 'Decisions',
  problems: 'Problems',
  recipes: 'Recipes',
  runbooks: 'Runbooks',
};

/** The contents: every page is in one group, under itself or under its folder. */
export function navigate(pages: readonly Page[]): readonly Group[] {
  const tops = [...new Set(pages.map((page) => topOf(page)))];
  const named = new Set(groups.flatMap(({ paths }) => paths));
  const more = tops.filter((top) => !named.has(top));
  return [...groups, { title: 'More', paths: more, isOpen: false }]
    .map(({ title, paths, isOpen }) => {
      const links = paths.filter((path) => tops.includes(path)).map((path) => linkTo(path, pages));
      return { title, links: isOpen === true ? links.flatMap(({ children }) => children) : links };
    })
    .filter(({ links }) => links.length > 0);
}

/** A page at the top stands for itself, one in a folder for the folder: `decisions/`. */
function topOf({ path, folder }: Page): string {
  return folder === '' ? path : `${folder.split('/')[0]}/`;
}

function linkTo(top: string, pages: readonly Page[]): Link {
  if (!top.endsWith('/')) {
    const page = pages.find(({ path }) => path === top);
    return { title: page?.title ?? top, path: top, children: [] };
  }
  const inside = pages.filter((page) => topOf(page) === top && page.path !== `${top}index.html`);
  return {
    title: titleOf(top.slice(0, -1), pages),
    path: `${top}index.html`,
    children: inside.map(({ title, path, folder }) => ({
      title: top === 'problems/' ? `${folder.slice(top.length)}/${posix.basename(path, '.html')}` : title,
      path,
      children: [],
    })),
  };
}

function titleOf(folder: string, pages: readonly Page[]): string {
  const own = pages.find(({ path }) => path === `${folder}/index.html`)?.title;
  return titles[folder] ?? own ?? `${folder.charAt(0).toUpperCase()}${folder.slice(1)}`;
}

/** A list of its pages for every folder at the top that has no README. */
export function indexFolders(pages: readonly Page[]): readonly FolderIndex[] {
  const folders = [...new Set(pages.filter(({ folder }) => folder !== '').map((page) => topOf(page).slice(0, -1)))];
  return folders
    .filter((folder) => !pages.some(({ path }) => path === `${folder}/index.html`))
    .map((folder) => {
      const inside = pages.filter((page) => topOf(page) === `${folder}/`);
      const title = titleOf(folder, pages);
      return { folder, title, text: `# ${title}\n\n${folder === 'problems' ? listProblems(inside) : list(inside)}\n` };
    });
}

function list(pages: readonly Page[]): string {
  return pages.map(({ title, source }) => `- [${title}](${source.split('/').slice(2).join('/')})`).join('\n');
}

function roomOf({ folder }: Page): string {
  return folder.split('/')[1] ?? '';
}

/** By room, with the code and the status that a caller has in hand. */
function listProblems(pages: readonly Page[]): string {
  const parts = [...new Set(pages.map(roomOf))].map((room) => {
    const rows = pages
      .filter((page) => roomOf(page) === room)
      .map(({ title, text, path }) => {
        const code = `${room}/${posix.basename(path, '.html')}`;
        return `| [\`${code}\`](${code}.md) | ${/status (\d{3})/.exec(text)?.[1] ?? ''} | ${title.replaceAll('|', '\\|')} |`;
      });
    return `## ${room}\n\n| code | status | what it says |\n|---|---|---|\n${rows.join('\n')}`;
  });
  return `Every refusal is a problem document (RFC 9457) with a code that never changes its meaning.\n\n${parts.join('\n\n')}`;
}
