import type { SqlPool } from '@keyfare/db/sql';
import type { FeedPlace } from '../entry.js';

/** A row of the feed as it came, not checked yet; `(tx, position)` are text, as the driver reads a bigint. */
export interface FeedRow {
  readonly tx: string;
  readonly position: string;
  readonly id: string;
  readonly kind: string;
  readonly principal: string;
  readonly digest: Buffer;
  readonly recorded_at: Date;
  readonly jws: string | null;
  readonly usage_rail: string | null;
  readonly usage_account: string | null;
  readonly usage_payer: string | null;
  readonly usage_sku: string | null;
  readonly usage_units: string | null;
  readonly usage_period_start: Date | null;
  readonly usage_occurred_at: Date | null;
}

/** Rows in the order of the feed, and what can be said of those that were not there. */
export interface FeedBatch {
  readonly rows: readonly FeedRow[];
  /**
   * When the batch is not full, every row of a transaction older than `horizon` has been read. `newest` is older than
   * no transaction that was committed when the batch was asked for: once the horizon has passed it, all of them are in.
   */
  readonly horizon: bigint;
  readonly newest: bigint;
}

/** Reads entries after a place, at most `limit`. Today from the API's view; it may be read over HTTP one day. */
export type LogFeed = (after: FeedPlace, limit: number) => Promise<FeedBatch>;

/** The API's own count of what each account used in each month, all of it at one moment. */
export interface MeterReading {
  /** The moment, as PostgreSQL writes a snapshot: it says of any transaction whether the reading includes it. */
  readonly snapshot: string;
  /** See `FeedBatch`: the reading includes nothing beyond it. */
  readonly newest: bigint;
  readonly rows: readonly { readonly account: string; readonly periodStart: Date; readonly used: bigint }[];
}

/** The feed as a view in the API's database. The snapshot is taken before the rows, so it never promises too much. */
export function sqlFeed(sql: SqlPool): LogFeed {
  return async ({ tx, position }, limit) => {
    const [snapshot] = await sql.query<{ horizon: string; newest: string }>({
      name: 'billing_feed_horizon',
      text: `select pg_snapshot_xmin(now)::text as horizon, pg_snapshot_xmax(now)::text as newest
        from pg_current_snapshot() as now`,
    });
    const rows = await sql.query<FeedRow>({
      name: 'billing_feed',
      text: `select tx, position, id, kind, principal, digest, recorded_at, jws, usage_rail, usage_account, usage_payer,
          usage_sku, usage_units, usage_period_start, usage_occurred_at
        from keyfare.entry_feed where (tx, position) > ($1::bigint, $2::bigint) order by tx, position limit $3`,
      values: [tx.toString(), position.toString(), limit],
    });
    return { rows, horizon: BigInt(snapshot?.horizon ?? 0), newest: BigInt(snapshot?.newest ?? 0) };
  };
}

/** Reads the API's meter. One statement, and so one moment. */
export async function readMeter(sql: SqlPool): Promise<MeterReading> {
  const rows = await sql.query<{
    snapshot: string;
    newest: string;
    account_id: string | null;
    period_start: Date;
    used: string;
  }>({
    text: `select now::text as snapshot, pg_snapshot_xmax(now)::text as newest, m.account_id, m.period_start, m.used
      from pg_current_snapshot() as now left join keyfare.meter_feed m on true`,
  });
  const [first] = rows;
  return {
    snapshot: first?.snapshot ?? '',
    newest: BigInt(first?.newest ?? 0),
    rows: rows.flatMap(({ account_id: account, period_start: periodStart, used }) =>
      account === null ? [] : [{ account, periodStart, used: BigInt(used) }],
    ),
  };
}
