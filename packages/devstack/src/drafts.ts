import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A name beside `path` for what is to take its place when it is finished. */
export function draftPath(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.draft`;
}

/** Replaces a file in one step: a reader finds the old text or the new one, a crash leaves one of the two. */
export function replaceFile(path: string, text: string): void {
  const draft = draftPath(path);
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
  renameSync(draft, path);
}

/** Removes drafts that were never finished. Only for who knows that nobody is at one now: under a lock. */
export function removeDrafts(path: string): void {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(prefix) && name.endsWith('.draft')) {
      rmSync(join(dirname(path), name), { recursive: true, force: true });
    }
  }
}
