import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The allowance of each account and month, the blocks of it that processes hold, and the usage that was served. */
export class CreateMeter1795000000300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.allowance (
        account_id text not null,
        period_start timestamptz not null,
        limit_units bigint,
        used bigint not null default 0,
        leased bigint not null default 0,
        over_units bigint not null default 0,
        constraint allowance_pk primary key (account_id, period_start),
        constraint allowance_counts check (used >= 0 and leased >= 0 and over_units >= 0),
        constraint allowance_cap check (limit_units is null or used + leased <= limit_units + over_units)
      )`);
    await queryRunner.query(`
      create table keyfare.lease (
        replica_id uuid not null,
        account_id text not null,
        period_start timestamptz not null,
        outstanding bigint not null,
        constraint lease_pk primary key (replica_id, account_id, period_start),
        constraint lease_outstanding check (outstanding >= 0)
      )`);
    await queryRunner.query(`
      create table keyfare.usage (
        id uuid not null,
        rail text not null,
        account_id text,
        payer text,
        key_id text,
        sku text not null,
        units bigint not null,
        period_start timestamptz not null,
        occurred_at timestamptz not null,
        constraint usage_pk primary key (id),
        constraint usage_units check (units > 0),
        constraint usage_rail check (rail in ('key', 'x402')),
        constraint usage_principal check (
          case rail when 'key' then account_id is not null and key_id is not null and payer is null
          else payer is not null end)
      )`);
    await queryRunner.query(`
      create index usage_account on keyfare.usage (account_id, occurred_at) where account_id is not null`);
    await queryRunner.query(`
      create trigger usage_append_only before update or delete or truncate on keyfare.usage
      execute function keyfare.append_only()`);
    await queryRunner.query('grant select, insert, update on keyfare.allowance to keyfare_gate');
    await queryRunner.query('grant select, insert, update, delete on keyfare.lease to keyfare_gate');
    await queryRunner.query('grant select, insert on keyfare.usage to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
