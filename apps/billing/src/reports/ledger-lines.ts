import { formatMoney, type LedgerAssetCode, ledgerAssetCodes, money } from '@keyfare/core/money';
import type { Period } from '@keyfare/core/time';
import type { Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { ledgerLines } from './ledger.sql.js';
import { momentSql, type Part, type Table } from './table.js';

const types = z.enum(['asset', 'liability', 'equity', 'income', 'expense']);

/** One line of the journal. One of `debit` and `credit` is zero. */
export const journalRow = z.object({
  date: z.string(),
  journal: z.string(),
  line: z.number(),
  kind: z.string(),
  source: z.string(),
  occurredAt: z.iso.datetime(),
  ledgerAccount: z.string(),
  type: types,
  asset: z.enum(ledgerAssetCodes),
  debit: z.string(),
  credit: z.string(),
});

/** One movement of a ledger account, or its opening or closing balance. Debits less credits is the balance. */
export const generalLedgerRow = z.object({
  row: z.enum(['opening', 'movement', 'closing']),
  date: z.string(),
  journal: z.string().nullable(),
  kind: z.string().nullable(),
  source: z.string().nullable(),
  occurredAt: z.iso.datetime().nullable(),
  asset: z.enum(ledgerAssetCodes),
  debit: z.string(),
  credit: z.string(),
  balance: z.string(),
});

interface Line {
  readonly journal: string;
  readonly line: number;
  readonly kind: string;
  readonly source: string;
  readonly occurred_at: Date;
  readonly effective_at: Date;
  readonly account: string;
  readonly type: z.infer<typeof types>;
  readonly asset: LedgerAssetCode;
  readonly amount: string;
}

/** The journal of some days, line by line. */
export function journalTable({ start, end }: Period): Table<Line, z.infer<typeof journalRow>> {
  return {
    name: `journal-${dayText(start)}`,
    columns: Object.keys(journalRow.shape) as (keyof z.infer<typeof journalRow>)[],
    amounts: ['debit', 'credit'],
    statement: {
      text: `
        select l.*, lpad(l.line::text, 10, '0') as line_order from ${ledgerLines} as l
        where effective_at >= $1 and effective_at < $2`,
      values: [start, end],
    },
    order: [
      { column: 'effective_at', kind: 'time' },
      { column: 'journal', kind: 'text' },
      { column: 'line_order', kind: 'text' },
    ],
    view: (row) => ({
      date: dayText(row.effective_at),
      journal: row.journal,
      line: row.line,
      kind: row.kind,
      source: row.source,
      occurredAt: row.occurred_at.toISOString(),
      ledgerAccount: row.account,
      type: row.type,
      asset: row.asset,
      ...sides(row),
    }),
  };
}

interface DetailRow extends Omit<Line, 'journal'> {
  readonly row: 'opening' | 'movement' | 'closing';
  readonly journal: string | null;
  readonly balance: string;
}

/** One ledger account over some days: opening balance, each movement with the balance after it, closing balance. */
export function generalLedgerTable(
  account: string,
  { start, end }: Period,
): Table<DetailRow, z.infer<typeof generalLedgerRow>> {
  return {
    name: `general-ledger-${dayText(start)}`,
    columns: Object.keys(generalLedgerRow.shape) as (keyof z.infer<typeof generalLedgerRow>)[],
    amounts: ['debit', 'credit', 'balance'],
    statement: detailStatement(account, { start, end }),
    part: (part) => detailStatement(account, { start, end }, part),
    order: [
      { column: 'section', kind: 'text' },
      { column: 'effective_at', kind: 'time' },
      { column: 'journal_order', kind: 'text' },
      { column: 'line_order', kind: 'text' },
    ],
    view: (row) => ({
      row: row.row,
      date: dayText(row.row === 'closing' ? new Date(end.getTime() - 1) : row.effective_at),
      journal: row.journal,
      kind: row.kind,
      source: row.source,
      occurredAt: row.row === 'movement' ? row.occurred_at.toISOString() : null,
      asset: row.asset,
      ...sides(row),
      balance: formatMoney(money(row.asset, BigInt(row.balance))),
    }),
  };
}

const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** SQL for the account's balance, `$1`, before a day. */
const balanceAt = (day: string): string => `coalesce((
  select sum(debits - credits) from billing.balance_day where account = $1 and day < (${day} at time zone 'UTC')::date), 0)`;

/**
 * The lines of an account, all or those of a part, with the balance after each. A part begins with the balance at the
 * start of its day and the lines of the day before it: those of other days are in the sums by day.
 */
function detailStatement(account: string, { start, end }: Period, part?: Part): Statement {
  const [section, at, journal, line] = part?.after ?? [];
  const isAmong = section === '1' && isUuid.test(journal ?? '') && /^\d{1,10}$/.test(line ?? '');
  const after = isAmong ? [at, journal, line] : [];
  const limit = part === undefined ? '' : `order by effective_at, journal_id, line limit ${part.limit}`;
  const bothSides = (
    [
      ['debit', 'line * 2', 'amount'],
      ['credit', 'line * 2 + 1', '-amount'],
    ] as const
  ).map((side) => {
    const lines = `
      select journal_id, ${side[1]} as line, ${side[2]} as amount, asset, effective_at from billing.movement
      where ${side[0]} = $1 and effective_at >= $2 and effective_at < $3`;
    // By the index up to the journal.
    const past = `and (effective_at, journal_id) >= (${momentSql('$4')}, $5::uuid)
      and (effective_at, journal_id, ${side[1]}) > (${momentSql('$4')}, $5::uuid, $6::bigint)`;
    const before = `and effective_at >= date_trunc('day', ${momentSql('$4')}, 'UTC')
      and (effective_at, journal_id) <= (${momentSql('$4')}, $5::uuid)
      and (effective_at, journal_id, ${side[1]}) <= (${momentSql('$4')}, $5::uuid, $6::bigint)`;
    return { page: `(${lines} ${isAmong ? past : ''} ${limit})`, before: `${lines} ${before}` };
  });
  const opening = isAmong
    ? `${balanceAt(momentSql('$4'))} + coalesce((
        select sum(amount) from (${bothSides.map(({ before }) => before).join(' union all ')}) as earlier), 0)`
    : balanceAt('$2::timestamptz');
  return {
    text: `
      with lines as (
        select * from (${bothSides.map(({ page }) => page).join(' union all ')}) as l ${limit}),
      account as (
        select asset, ${balanceAt('$2::timestamptz')} as opening, ${opening} as before,
          ${balanceAt('$3::timestamptz')} as closing
        from billing.ledger_account where code = $1),
      running as (
        select l.*, a.before + sum(l.amount) over (order by l.effective_at, l.journal_id, l.line) as balance
        from lines l, account a)
      select '0' as section, 'opening' as row, $2::timestamptz as effective_at, '' as journal_order, '' as line_order,
        null::uuid as journal, null as kind, null as source, null::timestamptz as occurred_at, asset, 0::numeric as amount,
        opening::text as balance
      from account
      union all
      select '1', 'movement', r.effective_at, r.journal_id::text, lpad(r.line::text, 10, '0'), r.journal_id, j.kind,
        j.source, j.occurred_at, r.asset, r.amount, r.balance::text
      from running r join billing.journal j on j.id = r.journal_id
      union all
      select '2', 'closing', $3::timestamptz, '', '', null, null, null, null, asset, 0, closing::text
      from account`,
    values: [account, start, end, ...after],
  };
}

/** What the hledger text is made of: the balances at `start`, then each line, in order of journals. */
export function hledgerStatement({ start, end }: Period): Statement {
  return {
    text: `
      select * from (
        select null::uuid as journal, 'opening' as kind, '' as source, $1::timestamptz as occurred_at,
          $1::timestamptz as effective_at, d.account, a.type, a.asset, sum(d.debits - d.credits)::text as amount, 0 as line
        from billing.balance_day d join billing.ledger_account a on a.code = d.account
        where d.day < ($1::timestamptz at time zone 'UTC')::date
        group by d.account, a.type, a.asset having sum(d.debits - d.credits) <> 0
        union all
        select journal, kind, source, occurred_at, effective_at, account, type, asset, amount::text, line
        from ${ledgerLines} as l where effective_at >= $1 and effective_at < $2) as it
      order by journal is not null, effective_at, journal, account, line`,
    values: [start, end],
  };
}

/**
 * What imports of other programs are made of: the balance of each account, or of all that share the first part of their
 * code, before and after each day or month with a movement.
 */
export function summaryStatement(
  { start, end }: Period,
  {
    by,
    accounts,
    asset,
  }: { readonly by: 'day' | 'month'; readonly accounts: 'control' | 'each'; readonly asset: LedgerAssetCode },
): Statement {
  const code = accounts === 'each' ? 'account' : `split_part(account, ':', 1)`;
  const date = by === 'day' ? 'day' : `(date_trunc('month', day::timestamp) + interval '1 month - 1 day')::date`;
  return {
    text: `
      select to_char(date, 'YYYY-MM-DD') as date, account, asset, (closing - turnover)::text as opening, closing::text
      from (
        select date, account, asset, turnover, sum(turnover) over (partition by account order by date) as closing
        from (
          select ${date} as date, ${code} as account, a.asset, sum(d.debits - d.credits) as turnover
          from billing.balance_day d join billing.ledger_account a on a.code = d.account
          where d.day < ($2::timestamptz at time zone 'UTC')::date and a.asset = $3
          group by 1, 2, 3) as days) as balances
      where date >= ($1::timestamptz at time zone 'UTC')::date
      order by balances.date, asset, account`,
    values: [start, end, asset],
  };
}

function sides({ asset, amount }: Pick<Line, 'asset' | 'amount'>): { readonly debit: string; readonly credit: string } {
  const value = BigInt(amount);
  return {
    debit: formatMoney(money(asset, value > 0n ? value : 0n)),
    credit: formatMoney(money(asset, value < 0n ? -value : 0n)),
  };
}

function dayText(at: Date): string {
  return at.toISOString().slice(0, 10);
}
