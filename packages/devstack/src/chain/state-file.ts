import {
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { draftPath } from '../drafts.js';

/** Where a restored chain came from. */
export type StateSource = 'state' | 'previous' | 'nothing';

/**
 * Makes the chain's state file fit to start from. The node writes it in place, so a kill in the middle leaves half a
 * file, and a node given that refuses to start: then the previous copy takes its place, or the chain begins anew when
 * there is none. The damaged file is kept beside it as `.damaged`.
 */
export function prepareState(statePath: string): StateSource {
  if (isComplete(statePath)) {
    copyIfWhole(statePath);
    return 'state';
  }
  if (existsSync(statePath)) renameSync(statePath, `${statePath}.damaged`);
  const previous = previousPath(statePath);
  if (!isComplete(previous)) {
    if (existsSync(previous)) renameSync(previous, `${previous}.damaged`);
    return 'nothing';
  }
  copyFileSync(previous, statePath);
  return 'previous';
}

/** Keeps the previous copy up to date while the node runs. */
export interface StateKeeper {
  stop(): void;
}

/**
 * Copies the state whenever the node has written it, under another name first, and lets a copy replace the previous
 * one only when it is whole. So a kill loses at most the node's own interval and one round of this one.
 */
export function keepPrevious(statePath: string, everyMs: number): StateKeeper {
  let copied = 0;
  const timer = setInterval(() => {
    const written = modifiedAt(statePath);
    if (written === copied) return;
    if (copyIfWhole(statePath)) copied = written;
  }, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

function copyIfWhole(statePath: string): boolean {
  const draft = draftPath(statePath);
  try {
    copyFileSync(statePath, draft);
    if (!endsAsWritten(draft)) return false;
    renameSync(draft, previousPath(statePath));
    return true;
  } catch {
    return false; // the node may be replacing it, or the directory may be gone: the next round tries again
  } finally {
    rmSync(draft, { force: true });
  }
}

function previousPath(statePath: string): string {
  return `${statePath}.previous`;
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Parsed whole: done once a start. */
function isComplete(path: string): boolean {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    return typeof state === 'object' && state !== null && 'accounts' in state && 'block' in state;
  } catch {
    return false;
  }
}

/** The last member the node writes: done every second, so it must not read a file of many megabytes. */
const lastMember = '"historical_states":';

function endsAsWritten(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const tail = Buffer.alloc(64);
    const { size } = fstatSync(file);
    const length = readSync(file, tail, 0, tail.length, Math.max(0, size - tail.length));
    const text = tail.toString('latin1', 0, length);
    return text.includes(lastMember) && text.endsWith('}');
  } finally {
    closeSync(file);
  }
}
