import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The price book, the rated calls, and how full each account's month is. */
export class CreateRating1796000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.price_book (
        id uuid not null,
        account text not null,
        account_name text not null,
        plan_id text not null,
        plan_slug text not null,
        plan_version bigint not null,
        included_units numeric(78,0) not null,
        overage text not null,
        overage_price numeric(78,0) not null,
        monthly_price numeric(78,0) not null,
        effective_at timestamptz not null,
        tx bigint not null,
        position bigint not null,
        constraint price_book_pk primary key (id)
      )`);
    await queryRunner.query(`
      create index price_book_account on billing.price_book (account, effective_at, tx, position)`);
    await queryRunner.query(`
      create table billing.charge (
        entry_id uuid not null,
        rail text not null,
        account text,
        payer text,
        sku text not null,
        units bigint not null,
        included bigint not null,
        overage bigint not null,
        unit_price numeric(78,0),
        asset text not null,
        amount numeric(78,0) not null,
        price_book_id uuid,
        period_start timestamptz not null,
        occurred_at timestamptz not null,
        tx bigint not null,
        position bigint not null,
        constraint charge_pk primary key (entry_id),
        constraint charge_rail check (rail in ('key', 'x402')),
        constraint charge_amount check (units >= 0 and included >= 0 and overage >= 0 and amount >= 0),
        constraint charge_split check (
          case rail when 'key' then asset = 'USD' and included + overage = units and amount = overage * unit_price
            and price_book_id is not null and account is not null
          else asset = 'USDC' and included = 0 and overage = 0 and payer is not null end)
      )`);
    await queryRunner.query(`
      create index charge_account on billing.charge (account, period_start, tx, position) where rail = 'key'`);
    await queryRunner.query('create index charge_period on billing.charge (period_start)');
    await queryRunner.query(`
      create table billing.period_total (
        account text not null,
        period_start timestamptz not null,
        units numeric(78,0) not null,
        constraint period_total_pk primary key (account, period_start)
      )`);
    for (const table of ['price_book', 'charge']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to keyfare_billing`);
    }
    await queryRunner.query('grant select, insert, update on billing.period_total to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
