import { readFileSync } from 'node:fs';

/** The parsed content of `vectors/<name>.json`, whose shape the caller knows. */
export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'));
}
