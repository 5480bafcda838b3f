import { readFileSync } from 'node:fs';
import { replaceFile } from '../drafts.js';

/** The ports that the servers of a home had last time, by name. An unreadable file remembers nothing. */
export function readPorts(path: string): Readonly<Record<string, number>> {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter(([, port]) => isPort(port))) as Record<string, number>;
  } catch {
    return {};
  }
}

/** Remembers one port. Only the holder of the home's lock calls this, so read and write are not interleaved. */
export function writePort(path: string, name: string, port: number): void {
  replaceFile(path, `${JSON.stringify({ ...readPorts(path), [name]: port }, null, 2)}\n`);
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
}
