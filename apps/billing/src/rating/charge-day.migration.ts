import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Charges are summed by day, product, customer and price, in the transaction that writes them: reports read a page of
 * the sums and no charge. It fails, and changes nothing, when the sums would not come to the charges.
 */
export class SumCharges1799000000921 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of statements) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

const keys = 'period_start, rail, sku, customer, account, asset, day, unit_price';
const sums = (source: string): string => `
  select period_start, rail, sku, coalesce(account, payer), coalesce(account, ''), asset,
    (occurred_at at time zone 'UTC')::date, coalesce(unit_price, 0), count(*), sum(units), sum(included), sum(overage),
    sum(amount)
  from ${source} group by 1, 2, 3, 4, 5, 6, 7, 8`;

const statements = [
  `create table billing.charge_day (
    period_start timestamptz not null,
    rail text not null,
    sku text not null,
    customer text not null,
    account text not null,
    asset text not null,
    day date not null,
    unit_price numeric(78,0) not null,
    calls bigint not null,
    units numeric(78,0) not null,
    included numeric(78,0) not null,
    overage numeric(78,0) not null,
    amount numeric(78,0) not null,
    constraint charge_day_pk primary key (${keys})
  )`,
  `insert into billing.charge_day (${keys}, calls, units, included, overage, amount) ${sums('billing.charge')}`,
  `do $$
  begin
    if (select row(coalesce(sum(calls), 0), coalesce(sum(units), 0), coalesce(sum(amount), 0)) from billing.charge_day)
      is distinct from
      (select row(count(*)::numeric, coalesce(sum(units), 0), coalesce(sum(amount), 0)) from billing.charge)
    then
      raise exception 'the charges by day do not come to the charges' using errcode = 'KF003';
    end if;
  end $$`,
  'create index charge_day_by_day on billing.charge_day (day, rail, sku, customer, account, asset)',
  'create index charge_day_by_caller on billing.charge_day (period_start, rail, customer, asset)',
  // By the owner's right: the running program has none to change a sum. In order, so that two writers cannot wait for
  // one another.
  `create function billing.keep_charge_days() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
  begin
    insert into billing.charge_day as d (${keys}, calls, units, included, overage, amount)
    ${sums('added')} order by 1, 2, 3, 4, 5, 6, 7, 8
    on conflict (${keys}) do update set calls = d.calls + excluded.calls, units = d.units + excluded.units,
      included = d.included + excluded.included, overage = d.overage + excluded.overage,
      amount = d.amount + excluded.amount;
    return null;
  end $$`,
  `create trigger charge_days after insert on billing.charge referencing new table as added
    for each statement execute function billing.keep_charge_days()`,
  // Reports read the sums; who reads the charges of a month reads those of an account.
  'drop index billing.charge_period',
  'grant select on billing.charge_day to keyfare_billing',
];
