import type { Input, OptionSpec } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';

/** Of every list. */
export const limitOption: OptionSpec = {
  flags: '--limit <rows>',
  description: 'rows at most',
  default: '1000',
};

/** Of every write. */
export const idempotencyOption: OptionSpec = {
  flags: '--idempotency-key <key>',
  description: 'of an earlier try of the same command: it is done once',
};

/** How many rows are asked for. */
export function limitOf({ options }: Input): number {
  return wholeNumber('--limit', options['limit'], { least: 1, most: 1_000_000 });
}

/** A number that is written with digits only. */
export function wholeNumber(
  name: string,
  value: unknown,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Failure(exitCodes.usage, `${name} must be a whole number from ${least} to ${most}`);
}

/** An id as a part of a path. */
export function idPath(id: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(id)) return encodeURIComponent(id);
  throw new Failure(exitCodes.usage, 'an id is 1 to 128 printable ASCII characters');
}
