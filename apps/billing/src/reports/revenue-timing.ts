import { formatMoney, money } from '@keyfare/core/money';
import { formatMonth, type Period } from '@keyfare/core/time';
import type { Sql, Statement } from '@keyfare/db/sql';
import { z } from 'zod';
import { type Part, partOf, type Table } from './table.js';

/** What stands between what a month earned and what it was invoiced, in one account of the ledger. */
export const revenueTimingRow = z.object({
  month: z.string(),
  ledgerAccount: z.string(),
  opening: z.string().meta({ description: 'Earned and not invoiced yet; below 0 invoiced and not earned yet.' }),
  earned: z.string(),
  invoiced: z.string().meta({ description: 'Without tax, less what was voided and credited.' }),
  closing: z.string(),
  /** What the amounts are counted in. */
  asset: z.literal('USD'),
  difference: z.string().meta({ description: 'What was earned less what was invoiced: closing less opening.' }),
});

type RevenueTimingView = z.infer<typeof revenueTimingRow>;

interface RevenueTimingRow {
  readonly code: string;
  readonly opening: string;
  readonly change: string;
  readonly invoiced: string;
  readonly is_timing: boolean;
}

/**
 * What was earned in a month beside what invoices of the month say: usage before its invoice, fees of plans before
 * their days, and what was paid ahead. What is earned and invoiced at once, adjustments and the rounding to cents, has
 * no difference. The sum of `earned` over the first three is what the accounts of revenue by key gained in the month,
 * and the sum of `invoiced` is what customers were invoiced without tax.
 */
export function revenueTimingTable(period: Period): Table<RevenueTimingRow, RevenueTimingView> {
  const month = formatMonth(period);
  return {
    name: `revenue-timing-${month}`,
    columns: Object.keys(revenueTimingRow.shape) as (keyof RevenueTimingView)[],
    amounts: ['opening', 'earned', 'invoiced', 'closing', 'difference'],
    statement: timingStatement(period),
    part: (part) => timingStatement(period, part),
    order: [{ column: 'code', kind: 'text' }],
    view: (row) => {
      const [opening, change, invoiced] = [BigInt(row.opening), BigInt(row.change), BigInt(row.invoiced)];
      const difference = row.is_timing ? change : 0n;
      return {
        month,
        ledgerAccount: row.code,
        opening: dollars(row.is_timing ? opening : 0n),
        earned: dollars(invoiced + difference),
        invoiced: dollars(invoiced),
        closing: dollars(row.is_timing ? opening + change : 0n),
        asset: 'USD',
        difference: dollars(difference),
      };
    },
  };
}

/** The same of all accounts of a kind, and last of all of them: its `kind` is empty. Dollars as decimals. */
export interface TimingSum
  extends Pick<RevenueTimingView, 'opening' | 'earned' | 'invoiced' | 'difference' | 'closing'> {
  /** The first part of their codes. */
  readonly kind: string;
}

export async function readTimingSums(tx: Sql, period: Period): Promise<readonly TimingSum[]> {
  const { text, values = [] } = timingStatement(period);
  const rows = await tx.query<{ kind: string; opening: string; change: string; invoiced: string }>({
    text: `
      select coalesce(kind, '') as kind, coalesce(sum(opening), 0)::text as opening,
        coalesce(sum(change), 0)::text as change, coalesce(sum(invoiced), 0)::text as invoiced
      from (
        select split_part(code, ':', 1) as kind, invoiced::numeric as invoiced,
          case when is_timing then opening::numeric else 0 end as opening,
          case when is_timing then change::numeric else 0 end as change
        from (${text}) as t) as s
      group by grouping sets ((kind), ()) order by grouping(kind), kind`,
    values,
  });
  return rows.map(({ kind, ...sums }) => {
    const [opening, difference, invoiced] = [BigInt(sums.opening), BigInt(sums.change), BigInt(sums.invoiced)];
    return {
      kind,
      opening: dollars(opening),
      earned: dollars(invoiced + difference),
      invoiced: dollars(invoiced),
      difference: dollars(difference),
      closing: dollars(opening + difference),
    };
  });
}

function dollars(micros: bigint): string {
  return formatMoney(money('USD', micros));
}

// Accounts that journals of customers' receivables have on their other side. `;` is the letter after `:`.
const receivable = (side: string): string => `m.${side} >= 'receivable:' and m.${side} < 'receivable;'`;
const within = `m.effective_at >= $1 and m.effective_at < $2`;

function timingStatement({ start, end }: Period, part?: Part): Statement {
  const { where, limit, values } = partOf(part, { keys: 'code', first: 3 });
  return {
    text: `
      with accounts as (
        select code, code !~ '^(adjustments|rounding)$' as is_timing from billing.ledger_account
        where asset = 'USD' and (code in ('adjustments', 'rounding')
          or (code >= 'unbilled-receivable:' and code < 'unbilled-receivable;')
          or (code >= 'deferred-revenue:' and code < 'deferred-revenue;')
          or (code >= 'prepaid:' and code < 'prepaid;')) ${where} ${limit}),
      -- What usage is debited by are the calls of a month, but for invoices that were taken back.
      voided as (
        select m.debit as code, sum(m.amount) as amount
        from billing.journal j join billing.movement m on m.journal_id = j.id
        where j.reverses is not null and j.effective_at >= $1 and j.effective_at < $2 and ${receivable('credit')}
        group by m.debit)
      select a.code, a.is_timing, b.opening::text as opening, b.change::text as change,
        (i.amount - case when a.code like 'unbilled-%' then coalesce(v.amount, 0) else t.amount end)::text as invoiced
      from accounts a left join voided v on v.code = a.code,
        lateral (
          select coalesce(sum(debits - credits) filter (where day < ($1::timestamptz at time zone 'utc')::date), 0)
              as opening,
            coalesce(sum(debits - credits) filter (where day >= ($1::timestamptz at time zone 'utc')::date), 0) as change
          from billing.balance_day
          where account = a.code and day < ($2::timestamptz at time zone 'utc')::date) as b,
        lateral (
          select coalesce(sum(m.amount), 0) as amount from billing.movement m
          where m.credit = a.code and ${within} and ${receivable('debit')}) as i,
        lateral (
          select coalesce(sum(m.amount), 0) as amount from billing.movement m
          where a.code not like 'unbilled-%' and m.debit = a.code and ${within} and ${receivable('credit')}) as t
      where b.opening <> 0 or b.change <> 0 or i.amount <> 0`,
    values: [start, end, ...values],
  };
}
