import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/**
 * Contracts have periods of their own: of the calendar or from their day, in a time zone. Every invoice there is keeps
 * its month in UTC, and so does every account until a contract says otherwise.
 */
export class PeriodsOfContracts1799000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of statements) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

const keys = 'period_start, rail, sku, customer, account, asset, day, unit_price, billed_in';

const statements = [
  `alter table billing.contract
    add column period_anchor text not null default 'calendar',
    add column time_zone text not null default 'UTC',
    add constraint contract_anchor check (period_anchor in ('calendar', 'anniversary'))`,
  `create table billing.billing_cycle (
    account text not null,
    starts_at timestamptz not null,
    anchor text not null,
    time_zone text not null,
    constraint billing_cycle_pk primary key (account, starts_at),
    constraint billing_cycle_anchor check (anchor in ('calendar', 'anniversary'))
  )`,
  `grant select, insert, delete on billing.billing_cycle to ${billingRole}`,
  // A whole period is from midnight to midnight of its zone; it is cut where the cycle begins and where the next does.
  // A month without the day of the anniversary has its last day instead. Each boundary is worked out from the month it
  // is in, and never from the one before: 31 January, 28 February, 31 March. Where clocks go back to midnight, it comes
  // twice: PostgreSQL takes the second, and a day begins with the first.
  `create function billing.periods_of(
    of_account text, since timestamptz, up_to timestamptz,
    out period_start timestamptz, out period_end timestamptz, out whole_start timestamptz, out whole_end timestamptz,
    out time_zone text)
  returns setof record language sql stable set search_path = pg_catalog, pg_temp as $$
    select greatest(w.whole_start, c.starts_at), least(w.whole_end, c.ends_at), w.whole_start, w.whole_end, c.time_zone
    from (
      select y.starts_at, lead(y.starts_at) over (order by y.starts_at) as ends_at, y.anchor, y.time_zone
      from (
        select timestamptz '-infinity' as starts_at, 'calendar' as anchor, 'UTC' as time_zone
        union all
        select b.starts_at, b.anchor, b.time_zone from billing.billing_cycle b where b.account = of_account) as y
    ) as c
    cross join lateral generate_series(
      date_trunc('month', greatest(since, c.starts_at) at time zone c.time_zone) - interval '1 month',
      date_trunc('month', least(up_to, c.ends_at) at time zone c.time_zone) + interval '1 month', interval '1 month') as m
    cross join lateral (
      select case c.anchor when 'calendar' then 1
        else extract(day from c.starts_at at time zone c.time_zone)::integer end as day) as d
    cross join lateral (
      select
        m + make_interval(days =>
          least(d.day, extract(day from m + interval '1 month' - interval '1 day')::integer) - 1) as first_day,
        m + interval '1 month' + make_interval(days =>
          least(d.day, extract(day from m + interval '2 months' - interval '1 day')::integer) - 1) as next_day) as l
    cross join lateral (
      select l.first_day at time zone c.time_zone as first_midnight, l.next_day at time zone c.time_zone as next_midnight
    ) as n
    cross join lateral (
      select
        case when (n.first_midnight - interval '1 hour') at time zone c.time_zone = l.first_day
          then n.first_midnight - interval '1 hour' else n.first_midnight end as whole_start,
        case when (n.next_midnight - interval '1 hour') at time zone c.time_zone = l.next_day
          then n.next_midnight - interval '1 hour' else n.next_midnight end as whole_end) as w
    where c.starts_at <= up_to and (c.ends_at is null or c.ends_at > since)
      and w.whole_start < w.whole_end and w.whole_end > c.starts_at and (c.ends_at is null or w.whole_start < c.ends_at)
      and w.whole_end > since and w.whole_start <= up_to
      and least(w.whole_end, c.ends_at) > since and greatest(w.whole_start, c.starts_at) <= up_to
  $$`,
  // Null: the month in UTC. So no row is written again, and what was proven of it is proven.
  'alter table billing.charge add column billed_in timestamptz',
  `alter table billing.charge add constraint charge_billed_in
    check (billed_in is null or (rail = 'key' and billed_in <= occurred_at and billed_in <> period_start))`,
  'create index charge_by_period on billing.charge (account, billed_in, place) where billed_in is not null',
  // Charges are written in the order of the log: a run reads a stretch of them without an entry for each in an index.
  'create index charge_place on billing.charge using brin (place) with (pages_per_range = 32)',
  'alter table billing.charge_day add column billed_in timestamptz',
  'update billing.charge_day set billed_in = period_start',
  'alter table billing.charge_day alter column billed_in set not null',
  'alter table billing.charge_day drop constraint charge_day_pk',
  `alter table billing.charge_day add constraint charge_day_pk primary key (${keys})`,
  `create or replace function billing.keep_charge_days() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
  begin
    insert into billing.charge_day as d (${keys}, calls, units, included, overage, amount)
    select period_start, rail, sku, coalesce(account, payer), coalesce(account, ''), asset,
      (occurred_at at time zone 'UTC')::date, coalesce(unit_price, 0), coalesce(billed_in, period_start), count(*),
      sum(units), sum(included), sum(overage), sum(amount)
    from added group by 1, 2, 3, 4, 5, 6, 7, 8, 9 order by 1, 2, 3, 4, 5, 6, 7, 8, 9
    on conflict (${keys}) do update set calls = d.calls + excluded.calls, units = d.units + excluded.units,
      included = d.included + excluded.included, overage = d.overage + excluded.overage,
      amount = d.amount + excluded.amount;
    return null;
  end $$`,
  `alter table billing.invoice add column time_zone text not null default 'UTC'`,
];
