import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Roles come first, for every later migration grants to them. Roles belong to the cluster, so they may be there. */
export class CreateBillingRoles1796000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // It may be there as the very login that runs billing; only where it is not does one need CREATEROLE.
    await queryRunner.query(`
      do $$ begin
        if not exists (select 1 from pg_roles where rolname = 'keyfare_billing') then
          create role keyfare_billing nologin;
        end if;
      exception when duplicate_object or unique_violation then null;
      end $$`);
    // So that the login which migrates may also run billing, with the smaller rights of the role; where it may not
    // grant that, another login runs it. Before PostgreSQL 16 every member may SET ROLE.
    await queryRunner.query(`
      do $$ begin
        if not pg_has_role(current_user, 'keyfare_billing',
          case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end) then
          execute format('grant keyfare_billing to %I', current_user);
        end if;
      exception when insufficient_privilege then null;
      end $$`);
    await queryRunner.query('grant usage on schema billing to keyfare_billing');
    // Append-only is kept twice: by grants for the role, and by this for whoever owns the table.
    await queryRunner.query(`
      create function billing.append_only() returns trigger language plpgsql as $$
      begin
        raise exception 'billing.% is append-only', tg_table_name using errcode = 'KF002';
      end $$`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** A running billing sees that nothing is pending, so it starts without a login that may migrate. */
export class TellBillingMigrations1797000034000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('grant select on billing.migration to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
