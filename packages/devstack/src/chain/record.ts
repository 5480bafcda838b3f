import { readFileSync } from 'node:fs';
import type { Hex } from 'viem';
import { replaceFile } from '../drafts.js';
import { type ProcessIdentity, parseIdentity } from '../identity.js';

/** What a home remembers of the chain it started, so that the next start can tell its own chain from a stranger's. */
export interface ChainRecord {
  readonly node: ProcessIdentity;
  readonly port: number;
  /** Also written on the chain itself. */
  readonly marker: Hex;
}

/** Null when there is no record, or none that can be read. */
export function readRecord(path: string): ChainRecord | null {
  try {
    const { node, port, marker } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const identity = parseIdentity(node);
    if (identity === null || typeof port !== 'number' || typeof marker !== 'string') return null;
    return { node: identity, port, marker: marker as Hex };
  } catch {
    return null;
  }
}

/** Replaces the record in one step. It is never removed: a dead process is told by its identity. */
export function writeRecord(path: string, record: ChainRecord): void {
  replaceFile(path, JSON.stringify(record));
}
