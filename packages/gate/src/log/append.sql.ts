import { bigints, bytes, type RowColumn, rows, texts, times, uuids } from '@keyfare/db/rows';

/** A signed document on its way into the log. */
export interface EntryItem {
  readonly id: string;
  readonly kid: string;
  /** The canonical JSON that was signed. */
  readonly payload: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
  /** SHA-256 of the compact JWS. */
  readonly digest: Uint8Array;
}

/** What a call used, as its entry keeps it. */
export interface CallUsage {
  readonly keyId: string | null;
  readonly sku: string;
  readonly units: bigint;
  readonly periodStart: Date;
  readonly occurredAt: Date;
}

/** The columns of any document. */
export const entryColumns = <Item extends EntryItem>(): Readonly<Record<string, RowColumn<Item>>> => ({
  id: uuids((item) => item.id),
  kid: texts((item) => item.kid),
  payload: bytes((item) => item.payload),
  signature: bytes((item) => item.signature),
  digest: bytes((item) => item.digest),
});

/** The columns of what a call used. */
export const usageColumns = <Item extends CallUsage>(): Readonly<Record<string, RowColumn<Item>>> => ({
  key_id: texts((item) => item.keyId),
  sku: texts((item) => item.sku),
  units: bigints((item) => item.units),
  period_start: times((item) => item.periodStart),
  occurred_at: times((item) => item.occurredAt),
});

const entryValues = { id: 'id', kid: 'kid', payload: 'payload', signature: 'signature', digest: 'digest' };

/**
 * The log's part of a post, over the rows of `from`: an entry for each, in their order, and the note by which the
 * sequencer finds them. An id that is there already is left alone and not noted again, so a post may be repeated.
 * `values` are the other columns of the entry by name, as SQL; `kid` may be among them, where the rows have none.
 */
export function appendEntries(from: string, values: Readonly<Record<string, string>>): string {
  const all = { ...entryValues, ...values };
  return `
  added as (
    insert into keyfare.entry (${Object.keys(all).join(', ')})
    select ${Object.values(all).join(', ')} from ${from}
    on conflict (id) do nothing returning id),
  noted as (
    insert into keyfare.unplaced (ids) select array_agg(id) from added having count(*) > 0)`;
}

interface LoneEntry extends EntryItem {
  readonly kind: string;
  readonly principal: string;
}

/** One document, for the paths that are not hot: appended within the caller's transaction. */
export const loneEntry = rows<LoneEntry>({
  ...entryColumns<LoneEntry>(),
  kind: texts((item) => item.kind),
  principal: texts((item) => item.principal),
});

export const appendEntry = `
  with ${appendEntries(loneEntry.source(), { kind: 'kind', principal: 'principal' })} select 1`;
