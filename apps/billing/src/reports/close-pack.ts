import { type AssetCode, formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import type { MonthReport, MonthService } from '../close/month.service.js';
import type { WalletMonth } from '../close/month-report.js';
import type { MonthReportService, SignedReport } from '../close/month-report.service.js';
import { type ClosePack, type PackSection, timeText } from '../document/close-pack.js';
import { ageingTable } from './ageing.js';
import { registerTable } from './invoice-register.js';
import { readTimingSums } from './revenue-timing.js';
import { type Cell, readPage, type Table } from './table.js';

/** A paper of a thousand invoices is read by nobody: the report has all of them. */
export const mostRows = 250;

/** What the pack reads through. */
interface Sources {
  readonly months: MonthService;
  readonly reports: MonthReportService;
  readonly now: Date;
}

/** Everything in it is of one moment, that of the caller's transaction, which must be a snapshot. */
export async function readClosePack(tx: Sql, period: Period, { months, reports, now }: Sources): Promise<ClosePack> {
  const month = await months.find(period, tx);
  const report = await reports.read(period, tx);
  return {
    month: formatMonth(period),
    state: month.lockedAt === null ? 'open' : 'locked',
    at: now,
    facts: factsOf(month, report, now),
    sections: [
      checklistOf(month),
      eventsOf(month),
      await readTrialBalance(tx, period),
      walletsOf(report),
      await readRevenue(tx, period),
      await readTiming(tx, period),
      await readRegister(tx, period),
      await readAgeing(tx, period),
      await readCases(tx, period, 'open'),
      await readCases(tx, period, 'resolved'),
      await readMatches(tx, period),
    ],
  };
}

function factsOf({ lockedAt, lockedBy }: MonthReport, { digest, signedOff }: SignedReport, now: Date) {
  const changed = signedOff !== null && signedOff.digest !== digest;
  return [
    ['As of', timeText(now)],
    ['Locked', lockedAt === null ? 'no' : `${timeText(lockedAt)} by ${lockedBy ?? '?'}`],
    [
      'Signed off',
      signedOff === null
        ? 'by nobody'
        : `${timeText(signedOff.at)} by ${signedOff.operator.name}${changed ? '; the figures have changed since' : ''}`,
    ],
    ['Digest', digest],
  ] as const;
}

function checklistOf({ checklist }: MonthReport): PackSection {
  return {
    title: 'Checklist',
    columns: [
      { title: 'Point', share: 20 },
      { title: 'Met', share: 8 },
      { title: 'Count', share: 10, isNumber: true },
      { title: 'What it looks at', share: 62 },
    ],
    rows: checklist.map(({ name, ok, count, detail }) => [name, ok ? 'yes' : 'NO', String(count), detail]),
  };
}

function eventsOf({ events }: MonthReport): PackSection {
  return {
    title: 'Locked and reopened',
    columns: [
      { title: 'When', share: 25 },
      { title: 'What', share: 15 },
      { title: 'Who', share: 25 },
      { title: 'Why', share: 35 },
    ],
    rows: events.map(({ at, what, operatorName, reason }) => [timeText(at), what, operatorName, reason ?? '']),
  };
}

interface ControlRow {
  readonly asset: AssetCode;
  readonly account: string;
  readonly accounts: string;
  readonly debit: string;
  readonly credit: string;
}

/** Ledger accounts that share the first part of their code are one line, with the sums of both sides. */
async function readTrialBalance(tx: Sql, { end }: Period): Promise<PackSection> {
  const rows = await tx.query<ControlRow>({
    text: `
      select asset, coalesce(account, '') as account, sum(accounts)::text as accounts, sum(debit)::text as debit,
        sum(credit)::text as credit
      from (
        select a.asset, split_part(a.code, ':', 1) as account, count(*) as accounts,
          coalesce(sum(l.amount) filter (where l.amount > 0), 0) as debit,
          coalesce(-sum(l.amount) filter (where l.amount < 0), 0) as credit
        from billing.ledger_account a join (
          select account, sum(debits - credits) as amount from billing.balance_day
          where day < ($1::timestamptz at time zone 'utc')::date group by account) as l on l.account = a.code
        where l.amount <> 0 group by a.asset, split_part(a.code, ':', 1)) as control
      group by grouping sets ((asset, account), (asset)) order by asset, grouping(account), account`,
    values: [end],
  });
  return {
    title: 'Trial balance at the end of the month',
    columns: [
      { title: 'Ledger accounts', share: 38 },
      { title: 'How many', share: 12, isNumber: true },
      { title: 'Asset', share: 10 },
      { title: 'Debit', share: 20, isNumber: true },
      { title: 'Credit', share: 20, isNumber: true },
    ],
    rows: rows.map(({ asset, account, accounts, debit, credit }) => [
      account === '' ? 'Total' : account,
      accounts,
      asset,
      amountText(asset, debit),
      amountText(asset, credit),
    ]),
  };
}

function walletsOf({ wallets, month }: SignedReport): PackSection {
  return {
    title: 'Wallets',
    columns: [
      { title: 'Wallet', share: 54 },
      { title: 'Asset', share: 8 },
      { title: 'Item', share: 22 },
      { title: 'Amount', share: 16, isNumber: true },
    ],
    rows: wallets.slice(0, mostRows).flatMap(walletRows),
    ...noteOf(wallets.length > mostRows, `/months/${month}/report.csv`),
  };
}

function walletRows({ wallet, network, asset, ...of }: WalletMonth): readonly (readonly string[])[] {
  const row = (item: string, amount: string): readonly string[] => [`${network} ${wallet}`, asset, item, amount];
  return [
    row('opening', of.opening),
    ...of.movements.map(({ kind, count, amount }) => row(`${kind} (${count})`, amount)),
    row('closing', of.closing),
    row(`unexplained (${of.unexplained.count})`, of.unexplained.amount),
    row(`carried forward (${of.carriedForward.count})`, of.carriedForward.amount),
  ];
}

interface RevenueRow {
  readonly rail: string;
  readonly sku: string;
  readonly asset: AssetCode;
  readonly calls: string;
  readonly units: string;
  readonly amount: string;
}

async function readRevenue(tx: Sql, { start }: Period): Promise<PackSection> {
  const rows = await tx.query<RevenueRow>({
    text: `select rail, sku, asset, sum(calls)::text as calls, sum(units)::text as units, sum(amount)::text as amount
      from billing.charge_day where period_start = $1 group by rail, sku, asset order by rail, sku, asset limit $2`,
    values: [start, mostRows + 1],
  });
  return {
    title: 'Revenue of calls, by rail and product',
    columns: [
      { title: 'Rail', share: 12 },
      { title: 'Product', share: 32 },
      { title: 'Calls', share: 14, isNumber: true },
      { title: 'Units', share: 14, isNumber: true },
      { title: 'Asset', share: 10 },
      { title: 'Amount', share: 18, isNumber: true },
    ],
    rows: rows
      .slice(0, mostRows)
      .map(({ rail, sku, calls, units, asset, amount }) => [rail, sku, calls, units, asset, amountText(asset, amount)]),
    ...noteOf(rows.length > mostRows, '/reports/revenue.csv'),
  };
}

async function readTiming(tx: Sql, period: Period): Promise<PackSection> {
  const titles = ['Opening', 'Earned', 'Invoiced', 'Difference', 'Closing'];
  return {
    title: 'Earned and invoiced, USD',
    columns: [
      { title: 'Ledger accounts', share: 30 },
      ...titles.map((title) => ({ title, share: 14, isNumber: true })),
    ],
    rows: (await readTimingSums(tx, period)).map(({ kind, opening, earned, invoiced, difference, closing }) => [
      kind === '' ? 'Total' : kind,
      opening,
      earned,
      invoiced,
      difference,
      closing,
    ]),
  };
}

async function readRegister(tx: Sql, period: Period): Promise<PackSection> {
  const { rows, note } = await firstOf(tx, registerTable(period), '/reports/invoices.csv');
  return {
    title: 'Invoices',
    columns: [
      { title: 'Number', share: 18 },
      { title: 'Customer', share: 40 },
      { title: 'State', share: 18 },
      { title: 'Total, USD', share: 24, isNumber: true },
    ],
    rows: rows.map(({ number, accountName, state, payable, total }) => [
      number ?? '-',
      accountName,
      state,
      state === 'draft' ? total : payable,
    ]),
    ...note,
  };
}

async function readAgeing(tx: Sql, { end }: Period): Promise<PackSection> {
  const lastDay = new Date(end.getTime() - 1).toISOString().slice(0, 10);
  const { rows, note } = await firstOf(tx, ageingTable(lastDay, end), '/reports/ageing.csv');
  const titles = ['Not due', '1 to 30', '31 to 60', '61 to 90', 'Over 90', 'Total'];
  return {
    title: `Receivables by days overdue, USD, on ${lastDay}`,
    columns: [{ title: 'Customer', share: 28 }, ...titles.map((title) => ({ title, share: 12, isNumber: true }))],
    rows: rows.map((row) => [row.name, row.notDue, row.to30, row.to60, row.to90, row.over90, row.total]),
    ...note,
  };
}

interface CaseRow {
  readonly class: string;
  readonly asset: AssetCode | null;
  readonly amount: string | null;
  readonly at: Date;
  readonly who: string | null;
  readonly said: string;
}

/** Open: of what happened up to the month's end. Resolved: in the month, or of what happened in it. */
async function readCases(tx: Sql, { start, end }: Period, status: 'open' | 'resolved'): Promise<PackSection> {
  const isOpen = status === 'open';
  const rows = await tx.query<CaseRow>({
    text: `
      select b.class, b.asset, b.amount::text as amount, coalesce(b.happened_at, b.first_seen) as at,
        case when $3 then b.owner else b.resolved_by end as who,
        case when $3 then b.detail else concat_ws(': ', b.resolution, p.kind || coalesce(' ' || p.debit || ' to ' || p.credit, ''))
          end as said
      from billing.break b left join lateral (
        select kind, debit, credit from billing.break_resolution r
        where r.break_id = b.id and r.state = 'posted' and not $3 order by nth desc limit 1) as p on true
      where case when $3 then b.status = 'open' and coalesce(b.happened_at, b.first_seen) < $2
        else b.status = 'resolved' and (b.resolved_at >= $1 and b.resolved_at < $2
          or coalesce(b.happened_at, b.first_seen) >= $1 and coalesce(b.happened_at, b.first_seen) < $2) end
      order by at, b.id limit $4`,
    values: [start, end, isOpen, mostRows + 1],
  });
  return {
    title: isOpen ? 'Open cases of the month and before' : 'Resolved cases',
    columns: [
      { title: 'Happened', share: 14 },
      { title: 'Class', share: 20 },
      { title: 'Amount', share: 18, isNumber: true },
      { title: isOpen ? 'Owner' : 'Resolved by', share: 14 },
      { title: isOpen ? 'What it is' : 'Resolution', share: 34 },
    ],
    rows: rows
      .slice(0, mostRows)
      .map((row) => [
        row.at.toISOString().slice(0, 10),
        row.class,
        row.amount === null || row.asset === null ? '-' : `${amountText(row.asset, row.amount)} ${row.asset}`,
        row.who ?? '-',
        row.said,
      ]),
    ...noteOf(rows.length > mostRows, `/breaks?status=${status}`),
  };
}

interface MatchRow {
  readonly owed: string;
  readonly paid: string;
  readonly state: string;
  readonly asset: AssetCode;
  readonly count: string;
  readonly amount: string;
}

/** Matches of money that moved in the month. */
async function readMatches(tx: Sql, { start, end }: Period): Promise<PackSection> {
  const rows = await tx.query<MatchRow>({
    text: `
      select case when m.entry_id is null then 'invoice' else 'entry' end as owed,
        case when m.transfer_id is null then 'bank payment' else 'transfer' end as paid,
        m.state, m.asset, count(*)::text as count, sum(m.amount)::text as amount
      from billing.match m
      left join billing.chain_transfer t on t.id = m.transfer_id
      left join billing.bank_payment b on b.id = m.bank_payment_id
      where coalesce(t.block_time, b.booked_on::timestamp at time zone 'utc') >= $1
        and coalesce(t.block_time, b.booked_on::timestamp at time zone 'utc') < $2
      group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    values: [start, end],
  });
  return {
    title: 'Matches of what moved in the month',
    columns: [
      { title: 'Of', share: 20 },
      { title: 'With', share: 20 },
      { title: 'State', share: 18 },
      { title: 'Count', share: 12, isNumber: true },
      { title: 'Asset', share: 10 },
      { title: 'Amount', share: 20, isNumber: true },
    ],
    rows: rows.map(({ owed, paid, state, count, asset, amount }) => [
      owed,
      paid,
      state,
      count,
      asset,
      amountText(asset, amount),
    ]),
  };
}

async function firstOf<Row, View extends Readonly<Record<string, Cell>>>(
  tx: Sql,
  table: Table<Row, View>,
  path: string,
): Promise<{ readonly rows: readonly View[]; readonly note: { readonly note?: string } }> {
  const { items, next } = await readPage(tx, table, { limit: mostRows, cursor: undefined });
  return { rows: items, note: noteOf(next !== null, path) };
}

function noteOf(isCut: boolean, path: string): { readonly note?: string } {
  return isCut ? { note: `The first ${mostRows}; ${path} has all of them.` } : {};
}

function amountText(asset: AssetCode, atomic: string): string {
  return formatMoney(money(asset, BigInt(atomic)));
}
