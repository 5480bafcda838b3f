import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import MarkdownIt from 'markdown-it';

/** A fenced block of code in a paper. */
export interface CodeBlock {
  /** From the root of the repository. */
  readonly paper: string;
  /** The line of the opening fence, from 1. */
  readonly line: number;
  /** The first word behind the fence; empty where there is none. */
  readonly language: string;
  readonly code: string;
  /**
   * What the block leaves out and a reader need not see: the comment `<!-- context … -->` right before it. A line `…`
   * in it stands for the block.
   */
  readonly context: { readonly before: string; readonly after: string };
  /** Why it is not checked: the words behind `unchecked:` on the fence. Undefined where it is. */
  readonly unchecked: string | undefined;
}

const folders = ['docs', 'examples', 'packages', 'apps', 'bench'];
const passedOver = /(?:^|\/)(?:node_modules|dist|fixtures|\.turbo)(?:\/|$)/;

/** Every paper of the repository: at its root, in `docs`, and beside the code; not those of tests. */
export function findPapers(root: string): readonly string[] {
  const inside = folders.flatMap((folder) => walk(root, folder));
  return [...readdirSync(root), ...inside].filter((path) => path.endsWith('.md')).toSorted();
}

function walk(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder.split(sep).join('/'), entry.name);
    if (passedOver.test(path)) return [];
    return entry.isDirectory() ? walk(root, path) : [path];
  });
}

/** The blocks of every paper. */
export function readBlocks(root: string): readonly CodeBlock[] {
  return findPapers(root).flatMap((paper) => blocksOf(paper, readFileSync(join(root, paper), 'utf8')));
}

/** The fenced blocks of one paper, those in lists and quotes too. */
export function blocksOf(paper: string, text: string): readonly CodeBlock[] {
  const tokens = new MarkdownIt({ html: true }).parse(text, {});
  return tokens.flatMap((token, index) => {
    if (token.type !== 'fence') return [];
    const [, language = '', attributes = ''] = /^(\S*)\s*(.*)$/.exec(token.info.trim()) ?? [];
    const above = tokens[index - 1];
    const comment = above?.type === 'html_block' ? /^<!-- context\n(.*)-->\s*$/s.exec(above.content)?.[1] : undefined;
    const [before = '', after = ''] = (comment ?? '').split(/^…\n/m);
    return {
      paper,
      line: (token.map?.[0] ?? 0) + 1,
      language,
      code: token.content,
      context: { before, after },
      unchecked: /^unchecked:\s*(.+)$/.exec(attributes)?.[1],
    };
  });
}

/** One `curl` of a block of shell. */
export interface Call {
  readonly method: string;
  /** Which program it asks: the variable that its URL begins with, such as `API`. */
  readonly program: string;
  /** The path, without the query; variables in it are `*`. */
  readonly path: string;
  /** The body behind `-d`, variables replaced by the text `x`. */
  readonly body: string | undefined;
}

/** The calls of a block of shell: every `curl` whose URL is that of a program, `"$API/…"`. */
export function callsOf({ code }: Pick<CodeBlock, 'code'>): readonly Call[] {
  const lines = code.replaceAll(/\\\n\s*/g, ' ').split('\n');
  const commands = lines
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.split(/\bcurl\b/).slice(1));
  return commands.flatMap((command) => {
    const [, program, path] =
      /"?\$\{?([A-Z]+)\}?(\/[^"'\s]*)/.exec(command.replace(/-H\s+(?:"[^"]*"|'[^']*')/g, '')) ?? [];
    if (program === undefined || path === undefined) return [];
    const body = /(?:-d|--data(?:-raw)?|--json)\s+'((?:[^']|'"[^"]*"')*)'/
      .exec(command)?.[1]
      ?.replaceAll(/'"[^"]*"'/g, 'x');
    const method = /(?:-X|--request)\s+([A-Z]+)/.exec(command)?.[1] ?? (body === undefined ? 'GET' : 'POST');
    return { method, program, path: path.split('?')[0]?.replaceAll(/\$\{?\w+\}?/g, '*') ?? '', body };
  });
}
