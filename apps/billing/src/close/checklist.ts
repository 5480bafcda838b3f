import type { Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';

/** What is looked at before a month is locked, in the order in which it is settled. */
export const checklistNames = [
  'month-over',
  'earlier-months',
  'entries-read',
  'chain-final',
  'matches',
  'reconciled',
  'breaks',
  'invoices',
  'late-entries',
] as const;

/** One point of the checklist. */
export interface ChecklistItem {
  readonly name: (typeof checklistNames)[number];
  /** Whether it stands in the way of the lock. */
  readonly ok: boolean;
  /** How many there are of what it counts. */
  readonly count: number;
  /** A sentence for people. */
  readonly detail: string;
}

interface Looked {
  readonly is_over: boolean;
  readonly earlier_open: number;
  readonly entries_read: boolean;
  readonly wallets_behind: number;
  readonly provisional: number;
  readonly reconciled: boolean;
  readonly breaks: number;
  readonly drafts: number;
  readonly late: number;
}

/**
 * Looks at a month, as the caller's transaction sees it. `limit` is the amount of an open break, in millionths, up to
 * which a month may be locked beside it; one without an amount counts as over it, unless its class is one of `minor`.
 */
export async function lookAt(
  sql: Sql,
  { start, end }: Period,
  { now, limit, minor }: { readonly now: Date; readonly limit: bigint; readonly minor: readonly string[] },
): Promise<readonly ChecklistItem[]> {
  const [row] = await sql.query<Looked>({
    text: `
      with latest as (
        -- One that came while transfers were on their way to a wallet that was named has not looked at the ledger.
        select entries_as_of, chain_as_of, coalesce(report -> 'unchecked' ? 'ledger-mismatch', false) as is_in_part
        from billing.reconciliation order by finished_at desc limit 1)
      select $3::timestamptz >= $2 as is_over,
        (select count(*)::int from generate_series(
            (select date_trunc('month', min(effective_at) at time zone 'utc') from billing.journal),
            $1::timestamptz at time zone 'utc' - interval '1 month', interval '1 month') as m
          where not exists (
            select 1 from billing.accounting_month a where a.month = m::date and a.locked_at is not null)) as earlier_open,
        exists (
          select 1 from billing.feed_cursor where feed = 'api' and complete_as_of >= $2) as entries_read,
        -- The block that was read last is past the end of the month, and no transfer of the month may still be undone.
        (select count(*)::int from billing.chain_cursor c
          where c.complete_as_of is null or c.complete_as_of < $2 or c.doubt is not null or (
            -- The first one that may be undone is the oldest: a block is not older than the one before.
            select t.block_time from billing.chain_transfer t
            where t.watch = c.watch and t.orphaned_at is null and t.block_number > c.finalized_number
            order by t.block_number limit 1) < $2) as wallets_behind,
        -- What is in no match at all, and should be, is a break.
        (select count(*)::int from billing.match m join billing.chain_transfer t on t.id = m.transfer_id
          where m.state = 'provisional' and t.block_time < $2) as provisional,
        coalesce((select entries_as_of >= $2 and chain_as_of >= $2 and not is_in_part from latest), false) as reconciled,
        (select count(*)::int from billing.break
          where status = 'open' and coalesce(happened_at, $1) < $2
            and case when amount is null then class <> all ($5::text[]) else amount > $4::numeric end) as breaks,
        -- Of periods that were over in the month, or are with it.
        (select count(*)::int from billing.invoice
          where period_end > $1 and period_end <= $2 and state = 'draft' and total > 0) as drafts,
        (select count(*)::int from billing.accounting_month a
          join billing.entry e on (e.ingested_at > a.locked_at
              or exists (select 1 from billing.readmission r where r.place = e.place and r.at > a.locked_at))
            and coalesce(e.usage_occurred_at, e.recorded_at) >= $1 and coalesce(e.usage_occurred_at, e.recorded_at) < $2
          where a.month = ($1::timestamptz at time zone 'utc')::date) as late`,
    values: [start, end, now, limit.toString(), minor],
  });
  if (row === undefined) throw new TypeError('a select without a table has one row');
  return itemsOf(row);
}

function itemsOf(row: Looked): readonly ChecklistItem[] {
  const yes = (name: ChecklistItem['name'], ok: boolean, detail: string): ChecklistItem => {
    return { name, ok, count: ok ? 0 : 1, detail };
  };
  const none = (name: ChecklistItem['name'], count: number, detail: string): ChecklistItem => {
    return { name, ok: count === 0, count, detail };
  };
  return [
    yes('month-over', row.is_over, 'The month is over.'),
    none('earlier-months', row.earlier_open, 'Months before it that are not locked.'),
    yes('entries-read', row.entries_read, 'Every entry of the log is read past the end of the month.'),
    none('chain-final', row.wallets_behind, 'Wallets that are not read past its end, or have a transfer not final.'),
    none('matches', row.provisional, 'Matches with a transfer of the month, or of one before, that are not final.'),
    yes('reconciled', row.reconciled, 'The last reconciliation compared log and chain past the end of the month.'),
    none('breaks', row.breaks, 'Open breaks over the limit of the close.'),
    none(
      'invoices',
      row.drafts,
      'Invoices of periods that end with or in the month that are drafts, with something to pay.',
    ),
    // They stand in a later month, by the rule of dates.
    { name: 'late-entries', ok: true, count: row.late, detail: 'Entries of the month that came after it was locked.' },
  ];
}
