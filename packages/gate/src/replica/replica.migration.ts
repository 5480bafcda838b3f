import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Roles come first, for every later migration grants to them. Roles belong to the cluster, so they may be there: only
 * where one is not does the login need CREATEROLE.
 */
export class CreateRoles1795000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const role of ['keyfare_gate', 'keyfare_billing_reader']) {
      await queryRunner.query(`
        do $$ begin
          if not exists (select 1 from pg_roles where rolname = '${role}') then
            create role ${role} nologin;
          end if;
        exception when duplicate_object or unique_violation then null;
        end $$`);
    }
    // So that the login which migrates may also run the gate, with the smaller rights of the role; where it may not
    // grant that, another login runs it. Before PostgreSQL 16 every member may SET ROLE.
    await queryRunner.query(`
      do $$ begin
        if not pg_has_role(current_user, 'keyfare_gate',
          case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end) then
          execute format('grant keyfare_gate to %I', current_user);
        end if;
      exception when insufficient_privilege then null;
      end $$`);
    await queryRunner.query('grant usage on schema keyfare to keyfare_gate, keyfare_billing_reader');
    // Aborts the whole statement it is called in, with a message for the log and an SQLSTATE for the code.
    await queryRunner.query(`
      create function keyfare.refuse(state text, message text) returns boolean language plpgsql as $$
      begin
        raise exception '%', message using errcode = state;
      end $$`);
    // Append-only is kept twice: by grants for the gate, and by this for whoever owns the table.
    await queryRunner.query(`
      create function keyfare.append_only() returns trigger language plpgsql as $$
      begin
        raise exception 'keyfare.% is append-only', tg_table_name using errcode = 'KF002';
      end $$`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Running processes and until when each is believed to live: what a dead one held goes back to the pool. */
export class CreateReplica1795000000800 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.replica (
        id uuid not null,
        started_at timestamptz not null,
        expires_at timestamptz not null,
        constraint replica_pk primary key (id)
      )`);
    await queryRunner.query('grant select, insert, update, delete on keyfare.replica to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
