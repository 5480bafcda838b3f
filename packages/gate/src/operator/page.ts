import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import { z } from 'zod';

/** How each list is asked for, beside its own filters. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'must be a number from 1 to 200')
    .transform(Number)
    .pipe(z.int().max(200))
    .default(50),
  cursor: z.string().max(1_000).optional(),
};

/** A part of a list. `next` is the cursor of the part that follows; null at the end. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next: string | null;
}

export const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });

/** Where a part ends: what the list is in order of, of its last row. */
export type Position = readonly string[];

/** What a position may be made of. */
export const positions = {
  // PostgreSQL has no year 0.
  time: z.iso.datetime({ precision: 3 }).regex(/^(?!0000)/),
  id: identifierText,
  count: z.string().regex(/^\d{1,18}$/),
  /** What is in the database already, and so may be compared with it. */
  text: z.string().regex(/^[^\0\p{Surrogate}]*$/u),
} as const;

/**
 * The position in a cursor; null for the beginning. A cursor names the place of the last row and not how many came
 * before it, so rows that come or go meanwhile move nothing. 400 `request/invalid` for what is none of this list's.
 */
export function readCursor(
  list: string,
  cursor: string | undefined,
  parts: readonly z.ZodType<string>[],
): Position | null {
  if (cursor === undefined) return null;
  try {
    const read: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const [name, ...position] = z
      .array(z.string())
      .length(parts.length + 1)
      .parse(read);
    if (name === list) return position.map((part, index) => (parts[index] as z.ZodType<string>).parse(part));
  } catch {
    // Told below, with all other cursors that are none.
  }
  throw new Problem('request/invalid', 'The cursor is none that this list gave.');
}

/** A page of at most `limit` of the rows, of which one more than that was read. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  {
    list,
    limit,
    position,
    view,
  }: {
    readonly list: string;
    readonly limit: number;
    readonly position: (row: Row) => Position;
    readonly view: (row: Row) => Item;
  },
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  const next = more ? Buffer.from(JSON.stringify([list, ...position(last)])).toString('base64url') : null;
  return { items: shown.map(view), next };
}
