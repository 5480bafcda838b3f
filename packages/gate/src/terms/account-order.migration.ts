import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One order for the terms of an account: whoever holds the lock of its row counts the change (`revision`) and dates it
 * (`effective_at`). `version` counts every change of the row, suspensions too, for the caches of the processes.
 */
export class OrderTerms1796000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.account
        add column version bigint not null default 1,
        add column revision bigint not null default 0,
        add column effective_at timestamptz not null default now(),
        add constraint account_counts check (version > 0 and revision >= 0)`);
    // Never before an entry that was signed already, whatever the clock of the process that signed it said.
    await queryRunner.query(`
      update keyfare.account a set effective_at = greatest(a.created_at,
        (select max(e.recorded_at) from keyfare.entry e where e.kind = 'terms' and e.principal = a.id))`);
    await queryRunner.query('alter table keyfare.account alter column effective_at drop default');
    await queryRunner.query('drop trigger account_changed on keyfare.account');
    await queryRunner.query('drop function keyfare.account_changed()');
    await queryRunner.query(`
      create function keyfare.account_changing() returns trigger language plpgsql as $$
      begin
        new.version = old.version + 1;
        perform pg_notify('keyfare_account', new.id || ' ' || new.version);
        return new;
      end $$`);
    await queryRunner.query(`
      create trigger account_changing before update on keyfare.account
      for each row execute function keyfare.account_changing()`);
    await queryRunner.query(`
      create view keyfare.account_feed as
      select id as account_id, plan_id, revision, effective_at from keyfare.account`);
    await queryRunner.query('grant select on keyfare.account_feed to keyfare_billing_reader');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
