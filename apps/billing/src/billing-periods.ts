import type { Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';

/** A period of an account's invoices: months in UTC where no contract of the account says otherwise. */
export interface BillingPeriod extends Period {
  /** The same before it was cut where other periods begin: what a price of a month is the price of. */
  readonly whole: Period;
  /** Whose midnights it is between. */
  readonly timeZone: string;
}

interface PeriodRow {
  readonly period_start: Date;
  readonly period_end: Date;
  readonly whole_start: Date;
  readonly whole_end: Date;
  readonly time_zone: string;
}

/** The period of the account that a time lies in. */
export async function readPeriod(sql: Sql, account: string, at: Date): Promise<BillingPeriod> {
  const [row] = await sql.query<PeriodRow>({
    text: 'select * from billing.periods_of($1, $2, $2)',
    values: [account, at],
  });
  if (row === undefined) throw new TypeError('every time lies in a period');
  return periodOf(row);
}

/** The account's periods whose first day is in a month, by the days of their zone: one, or more where one is cut. */
export async function readPeriodsOfMonth(sql: Sql, account: string, month: Period): Promise<readonly BillingPeriod[]> {
  const rows = await sql.query<PeriodRow>({
    // No zone is more than a day from UTC.
    text: `select * from billing.periods_of($1, $2::timestamptz - interval '1 day', $3::timestamptz + interval '1 day')
      where date_trunc('month', period_start at time zone time_zone) = $2::timestamptz at time zone 'utc'
      order by period_start`,
    values: [account, month.start, month.end],
  });
  return rows.map(periodOf);
}

function periodOf(row: PeriodRow): BillingPeriod {
  return {
    start: row.period_start,
    end: row.period_end,
    whole: { start: row.whole_start, end: row.whole_end },
    timeZone: row.time_zone,
  };
}

/** SQL for whether an account, an expression, has or had other periods than months in UTC. */
export function hasOwnPeriods(account: string): string {
  return `${account} in (select account from billing.billing_cycle)`;
}

/** SQL for the end of the period of an account that begins at `start`; both are expressions. */
export function endOfPeriod(account: string, start: string): string {
  return `case when ${hasOwnPeriods(account)}
    then (select p.period_end from billing.periods_of(${account}, ${start}, ${start}) as p)
    else (${start} at time zone 'utc' + interval '1 month') at time zone 'utc' end`;
}

/** SQL for which month a period begins in, by the days of its zone, as `YYYY-MM`, or the day where it is no first. */
export function nameOfPeriod(account: string, start: string): string {
  return `case when ${hasOwnPeriods(account)}
    then (select to_char(p.period_start at time zone p.time_zone,
        case when extract(day from p.period_start at time zone p.time_zone) = 1 then 'YYYY-MM' else 'YYYY-MM-DD' end)
      from billing.periods_of(${account}, ${start}, ${start}) as p)
    else to_char(${start} at time zone 'utc', 'YYYY-MM') end`;
}

/** SQL for whether an invoice, an alias, is of the month that begins at `month`, by the days of its zone. */
export function isOfMonth(invoice: string, month: string): string {
  const [start, zone] = [`${invoice}.period_start`, `${invoice}.time_zone`];
  return `(${start} >= ${month}::timestamptz - interval '1 day' and ${start} < ${month}::timestamptz + interval '33 days'
    and date_trunc('month', ${start} at time zone ${zone}) = ${month}::timestamptz at time zone 'utc')`;
}
