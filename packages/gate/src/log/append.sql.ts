import type { EntryKind } from '@keyfare/core/log';

/**
 * The log's part of a post, over `item`: a line for each document, in the order of the items. An id that is there
 * already is left alone, which makes a repeated post harmless.
 */
export const appendEntries = (kind: EntryKind, from: string): string => `
  added as (
    insert into keyfare.entry (id, kind, principal, digest)
    select id, '${kind}', principal, digest from ${from}
    on conflict (id) do nothing returning id)`;

/** One line, for the paths that are not hot. */
export const appendEntry = `
  insert into keyfare.entry (id, kind, principal, digest) values ($1, $2, $3, $4)`;
