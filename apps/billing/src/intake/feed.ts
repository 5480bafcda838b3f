import { maxDocumentLength } from '@keyfare/core/receipt';
import type { SqlPool } from '@keyfare/db/sql';
import type { AccountsReading } from '../accounts-reading.js';

/**
 * A row of the feed as it came, not checked yet; the place is text, as the driver reads a bigint. A time may be what
 * the driver makes of `infinity`: a number.
 */
export interface FeedRow extends FeedColumns {
  /** The signed document; null where the log does not have it any more. */
  readonly jws: string | null;
}

interface FeedColumns {
  readonly place: string;
  readonly id: string;
  readonly kind: string;
  readonly principal: string;
  readonly digest: Buffer;
  readonly recorded_at: Date | number;
  readonly usage_rail: string | null;
  readonly usage_account: string | null;
  readonly usage_payer: string | null;
  readonly usage_sku: string | null;
  readonly usage_units: string | null;
  readonly usage_period_start: Date | number | null;
  readonly usage_occurred_at: Date | number | null;
}

/** A row as the view has it: its document in parts. */
interface ViewRow extends FeedColumns {
  readonly kid: string | null;
  readonly payload: Buffer | null;
  readonly signature: Buffer | null;
}

/** Rows in the order of the log, and what can be said of those that were not there. */
export interface FeedBatch {
  readonly rows: readonly FeedRow[];
  /** Every entry that was committed before `asOf` has a place up to `place`. Read before the rows. */
  readonly head: LogHead;
  /** The time of the API's database when it was asked, in microseconds. */
  readonly askedAt: bigint;
}

/** How far the log had places when it was asked. */
export interface LogHead {
  readonly place: bigint;
  /** By the clock of the API's database, in microseconds since 1970: a `Date` would round it. */
  readonly asOf: bigint;
}

/** Reads entries after a place, at most `limit`. Today from the API's view; it may be read over HTTP one day. */
export type LogFeed = (after: bigint, limit: number) => Promise<FeedBatch>;

/** Places that the feed passes over: their entries were committed, and are not in the log any more. */
export interface FeedGap {
  readonly first: bigint;
  readonly last: bigint;
}

/** The first gap in what follows `after`; places are given without one. Null where there is none up to the last row. */
export function findGap(after: bigint, { rows, head }: FeedBatch): FeedGap | null {
  let before = after;
  for (const row of rows) {
    const place = BigInt(row.place);
    if (place !== before + 1n) return { first: before + 1n, last: place - 1n };
    before = place;
  }
  return rows.length === 0 && head.place > after ? { first: after + 1n, last: head.place } : null;
}

const micros = (time: string): string => `(extract(epoch from ${time}) * 1000000)::bigint::text`;

/** What is longer is no name in any entry. One character more is read, so that it is known for longer. */
const longestText = 200;

/** Longer than any of a document that can be read: the text of so many bytes is longer still. */
const longestPart = maxDocumentLength;

/**
 * The feed as views in the API's database. The head is read before the rows, so it never promises too much. A text that
 * is longer than any in a good entry comes cut: a batch of such rows would not fit in memory.
 */
export function sqlFeed(sql: SqlPool): LogFeed {
  return async (after, limit) => {
    const [head] = await sql.query<{ place: string | null; as_of: string | null; asked_at: string }>({
      name: 'billing_log_head',
      text: `select h.place, ${micros('h.as_of')} as as_of, ${micros('clock_timestamp()')} as asked_at
        from (select 1) as always left join keyfare.log_head h on true`,
    });
    const rows = await sql.query<ViewRow>({
      name: 'billing_feed',
      text: `select place, id, left(kind, ${longestText + 1}) as kind, left(principal, ${longestText + 1}) as principal,
          digest, recorded_at, left(kid, ${longestPart}) as kid, substring(payload for ${longestPart}) as payload,
          substring(signature for ${longestPart}) as signature, usage_rail,
          left(usage_account, ${longestText + 1}) as usage_account, left(usage_payer, ${longestText + 1}) as usage_payer,
          left(usage_sku, ${longestText + 1}) as usage_sku, usage_units, usage_period_start, usage_occurred_at
        from keyfare.entry_feed where last_place > $1::bigint and place > $1::bigint
        order by last_place, place limit $2`,
      values: [after.toString(), limit],
    });
    return {
      rows: rows.map((row) => Object.assign(row, { jws: documentOf(row) })),
      head: { place: BigInt(head?.place ?? 0), asOf: BigInt(head?.as_of ?? 0) },
      askedAt: BigInt(head?.asked_at ?? 0),
    };
  };
}

// A server signs under one key at a time: there is one header for each kind of entry.
const heads = new Map<string, string>();
const manyHeads = 64;

/** The compact JWS (RFC 7515, section 7.1) of an entry, whose header is canonical JSON. */
function documentOf({
  kind,
  kid,
  payload,
  signature,
}: Pick<ViewRow, 'kind' | 'kid' | 'payload' | 'signature'>): string | null {
  if (kid === null || payload === null || signature === null) return null;
  const typ = `keyfare-${kind === 'call' ? 'receipt' : kind}+jws`;
  const name = `${typ} ${kid}`;
  let head = heads.get(name);
  if (head === undefined) {
    head = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ })).toString('base64url');
    if (heads.size >= manyHeads) heads.clear();
    heads.set(name, head);
  }
  // One character more than a document may have says enough of one that is longer.
  return `${head}.${payload.toString('base64url')}.${signature.toString('base64url')}`.slice(0, maxDocumentLength + 1);
}

interface ReadingRow {
  readonly place: string;
  readonly read_at: string;
  readonly meter: readonly {
    readonly account: string;
    readonly period: string;
    readonly limit: string | null;
    readonly used: string;
    readonly leased: string;
    readonly open: number;
  }[];
  readonly terms: readonly {
    readonly account: string;
    readonly plan: string;
    readonly revision: string;
    readonly effective: string;
    readonly ends: string | null;
  }[];
}

/** Reads the API's meter and the terms it has in force. One statement, and so one snapshot. */
export async function readAccounts(sql: SqlPool): Promise<AccountsReading> {
  const [row] = await sql.query<ReadingRow>({
    text: `
      select coalesce((select place from keyfare.log_head), 0)::text as place,
        ${micros('clock_timestamp()')} as read_at,
        coalesce((select json_agg(json_build_object('account', account_id, 'period', period_start,
          'limit', limit_units::text, 'used', used::text, 'leased', leased::text, 'open', open_leases))
          from keyfare.meter_feed), '[]') as meter,
        coalesce((select json_agg(json_build_object('account', account_id, 'plan', plan_id,
          'revision', revision::text, 'effective', effective_at, 'ends', ends_at)) from keyfare.account_feed), '[]') as terms`,
  });
  return {
    place: BigInt(row?.place ?? 0),
    readAt: BigInt(row?.read_at ?? 0),
    meter: (row?.meter ?? []).map(({ account, period, limit, used, leased, open }) => ({
      account,
      periodStart: new Date(period),
      limit: limit === null ? null : BigInt(limit),
      used: BigInt(used),
      leased: BigInt(leased),
      openLeases: open,
    })),
    terms: (row?.terms ?? []).map(({ account, plan, revision, effective, ends }) => ({
      account,
      planId: plan,
      revision: BigInt(revision),
      effectiveAt: new Date(effective),
      endsAt: ends === null ? null : new Date(ends),
    })),
  };
}
