import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who locked a month and who opened it again, with what was looked at. */
export class CloseMonths1799000000410 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table if not exists billing.accounting_month (
        month date not null,
        locked_at timestamptz,
        locked_by text,
        constraint accounting_month_pk primary key (month)
      )`);
    await queryRunner.query(`
      create table billing.month_event (
        id bigint generated always as identity,
        month date not null,
        what text not null,
        at timestamptz not null,
        operator_id text not null,
        operator_name text not null,
        reason text,
        checklist jsonb not null,
        constraint month_event_pk primary key (id),
        constraint month_event_what check (what in ('locked', 'reopened')),
        constraint month_event_reason check (what = 'locked' or reason is not null)
      )`);
    await queryRunner.query('create index month_event_of on billing.month_event (month, id)');
    await queryRunner.query(`
      create trigger month_event_append_only before update or delete or truncate on billing.month_event
      execute function billing.append_only()`);
    await queryRunner.query(`
      create table billing.month_sign_off (
        id bigint generated always as identity,
        month date not null,
        digest text not null,
        at timestamptz not null,
        operator_id text not null,
        operator_name text not null,
        report jsonb not null,
        constraint month_sign_off_pk primary key (id)
      )`);
    await queryRunner.query('create index month_sign_off_of on billing.month_sign_off (month, id)');
    await queryRunner.query(`
      create trigger month_sign_off_append_only before update or delete or truncate on billing.month_sign_off
      execute function billing.append_only()`);
    await queryRunner.query('grant select, insert on billing.month_sign_off to keyfare_billing');
    await queryRunner.query('grant select, insert on billing.month_event to keyfare_billing');
    await queryRunner.query('grant select, insert, update on billing.accounting_month to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
