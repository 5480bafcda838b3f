/** The largest part of a list that the API gives. */
export const largestPart = '200';

interface Part<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A list that was read from its beginning. */
export interface Whole<T> {
  readonly items: readonly T[];
  /** There are more, which were not read. */
  readonly isCut: boolean;
}

/** Reads a list part by part, up to `most` rows: for lists that are short, or are looked things up in. */
export async function readAll<T>(
  read: (cursor: string | undefined) => Promise<Part<T>>,
  most = 10_000,
): Promise<Whole<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const part = await read(cursor);
    items.push(...part.items);
    cursor = part.next ?? undefined;
  } while (cursor !== undefined && items.length < most);
  return { items, isCut: cursor !== undefined };
}
