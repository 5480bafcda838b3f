import type { Rail } from '@keyfare/core/metering';
import {
  type AssetCode,
  assetCodes,
  formatMoney,
  type LedgerAssetCode,
  ledgerAssetCodes,
  money,
} from '@keyfare/core/money';
import { monthOf } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { z } from 'zod';
import { severities, severityOf } from '../reconcile/kinds.js';

const ages = ['day', 'week', 'month', 'older'] as const;

/** What finance and operators look at first. */
export const overviewView = z
  .object({
    asOf: z.iso.datetime(),
    /** What was sold in the last thirty days (UTC), by rail and asset; days without a call have no row. */
    days: z.array(
      z.object({
        day: z.string(),
        rail: z.enum(['key', 'x402', 'free']),
        asset: z.enum(assetCodes),
        calls: z.string(),
        amount: z.string(),
      }),
    ),
    /** Of each kind of ledger account what stands on all of it, debits less credits. */
    balances: z.array(
      z.object({ kind: z.string(), type: z.string(), asset: z.enum(ledgerAssetCodes), balance: z.string() }),
    ),
    /** The accounts that have used most of their plan's units this month, a half of them at least. */
    allowances: z.array(
      z.object({ account: z.string(), name: z.string(), plan: z.string(), used: z.string(), included: z.string() }),
    ),
    /** Open ones, by how much they weigh and for how long they have been. */
    breaks: z.array(z.object({ severity: z.enum(severities), age: z.enum(ages), count: z.int() })),
    /** Resolutions that wait for a second operator. */
    proposals: z.int(),
  })
  .meta({ id: 'Overview' });

const shownDays = 30;
const dayMs = 86_400_000;
const shownAllowances = 10;

/** Reads it as of a moment. */
export async function readOverview(sql: Sql, now: Date): Promise<z.infer<typeof overviewView>> {
  const from = new Date(Math.floor(now.getTime() / dayMs) * dayMs - (shownDays - 1) * dayMs);
  const [days, balances, allowances, breaks, [waiting]] = await Promise.all([
    sql.query<DayRow>({ text: daysText, values: [from] }),
    sql.query<BalanceRow>({ text: balancesText }),
    sql.query<AllowanceRow>({ text: allowancesText, values: [monthOf(now).start, shownAllowances] }),
    sql.query<BreakCount>({ text: breaksText, values: [now] }),
    sql.query<{ count: number }>({
      text: `select count(*)::int as count from billing.break_resolution where state = 'proposed'`,
    }),
  ]);
  const counted = new Map<
    string,
    { severity: (typeof severities)[number]; age: (typeof ages)[number]; count: number }
  >();
  for (const { class: name, age, count } of breaks) {
    const severity = severityOf(name);
    const key = `${severity} ${age}`;
    counted.set(key, { severity, age, count: (counted.get(key)?.count ?? 0) + count });
  }
  return {
    asOf: now.toISOString(),
    days: days.map(({ day, rail, asset, calls, amount }) => {
      return { day, rail, asset, calls, amount: formatMoney(money(asset, BigInt(amount))) };
    }),
    balances: balances.map(({ kind, type, asset, balance }) => {
      return { kind, type, asset, balance: formatMoney(money(asset, BigInt(balance))) };
    }),
    allowances: [...allowances],
    breaks: [...counted.values()],
    proposals: waiting?.count ?? 0,
  };
}

interface DayRow {
  readonly day: string;
  readonly rail: Rail;
  readonly asset: AssetCode;
  readonly calls: string;
  readonly amount: string;
}

interface BalanceRow {
  readonly kind: string;
  readonly type: string;
  readonly asset: LedgerAssetCode;
  readonly balance: string;
}

interface AllowanceRow {
  readonly account: string;
  readonly name: string;
  readonly plan: string;
  readonly used: string;
  readonly included: string;
}

interface BreakCount {
  readonly class: string;
  readonly age: (typeof ages)[number];
  readonly count: number;
}

const daysText = `
  select d.day::text, rail, asset, sum(calls)::text as calls, sum(amount)::text as amount
  from billing.charge_day d where d.day >= ($1::timestamptz at time zone 'UTC')::date
  group by d.day, rail, asset order by d.day, rail, asset`;

const balancesText = `
  select split_part(a.code, ':', 1) as kind, a.type, b.asset, sum(b.debits - b.credits)::text as balance
  from billing.balance b join billing.ledger_account a on a.code = b.account
  group by 1, 2, 3 order by 1, 3`;

// The terms are looked up of those alone who have used half of the smallest plan.
const allowancesText = `
  with used as (
    select account, sum(units) as units from billing.charge_day
    where rail = 'key' and period_start = $1 group by account
    having sum(units) * 2 >= (select min(included_units) from billing.terms where included_units > 0))
  select u.account, t.account_name as name, t.plan_slug as plan, u.units::text as used,
    t.included_units::text as included
  from used u, lateral (
    select account_name, plan_slug, included_units from billing.terms
    where account = u.account order by revision desc, effective_at desc, place desc limit 1) t
  where t.included_units > 0 and u.units * 2 >= t.included_units
  order by u.units / t.included_units desc, u.account limit $2`;

const breaksText = `
  select class, case when age < interval '1 day' then 'day' when age < interval '7 days' then 'week'
    when age < interval '30 days' then 'month' else 'older' end as age, count(*)::int as count
  from (select class, $1::timestamptz - coalesce(happened_at, first_seen) as age
    from billing.break where status = 'open') b
  group by 1, 2`;
