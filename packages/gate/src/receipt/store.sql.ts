import type { EntryKind } from '@keyfare/core/log';

/** The receipt room's part of a post, over `item` and `added`: the documents as they were signed. */
export const storeReceipts = (kind: EntryKind): string => `
  stored as (
    insert into keyfare.receipt (id, kind, principal, kid, jws, issued_at)
    select id, '${kind}', principal, kid, jws, issued_at from item join added using (id))`;

/** One document, for the paths that are not hot. */
export const storeReceipt = `
  insert into keyfare.receipt (id, kind, principal, kid, jws, issued_at) values ($1, $2, $3, $4, $5, $6)`;
