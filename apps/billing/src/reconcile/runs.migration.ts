import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Runs of the reconciliation as they wait and go on, what they proved, and what a break was found in. */
export class QueueRuns1799000000300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.reconciliation_run (
        id uuid not null,
        scope text not null,
        trigger text not null,
        state text not null,
        requested_at timestamptz not null,
        started_at timestamptz,
        finished_at timestamptz,
        check_name text,
        checks_done int not null default 0,
        checks_total int not null default 0,
        worker uuid,
        attempts int not null default 0,
        beaten_at timestamptz,
        failure text,
        constraint reconciliation_run_pk primary key (id),
        constraint reconciliation_run_scope check (scope in ('recent', 'full')),
        constraint reconciliation_run_trigger check (trigger in ('manual', 'schedule')),
        constraint reconciliation_run_state check (
          case state when 'queued' then worker is null and finished_at is null
            when 'running' then worker is not null and beaten_at is not null and finished_at is null
            when 'done' then finished_at is not null
            when 'failed' then finished_at is not null and failure is not null
            else false end)
      )`);
    // Who asks while a run of the scope waits or goes on gets that run; and one run goes on at a time.
    await queryRunner.query(`
      create unique index reconciliation_run_open on billing.reconciliation_run (scope)
      where state in ('queued', 'running')`);
    await queryRunner.query(`
      create unique index reconciliation_run_running on billing.reconciliation_run (state) where state = 'running'`);
    await queryRunner.query(`
      create index reconciliation_run_requested on billing.reconciliation_run (requested_at, id)`);
    await queryRunner.query(`
      insert into billing.reconciliation_run (id, scope, trigger, state, requested_at, started_at, finished_at)
      select id, 'full', trigger, 'done', started_at, started_at, finished_at from billing.reconciliation`);
    await queryRunner.query(`
      alter table billing.break add column check_name text, add column place bigint,
        add column happened_at timestamptz`);
    await queryRunner.query(`
      create table billing.control_total (
        day date not null,
        check_name text not null,
        first_at numeric(20,0) not null,
        last_at numeric(20,0) not null,
        count bigint not null,
        sums jsonb not null,
        digest text not null,
        proven_at timestamptz not null,
        read_at timestamptz not null,
        constraint control_total_pk primary key (check_name, last_at),
        constraint control_total_range check (first_at < last_at)
      )`);
    await queryRunner.query('grant select, insert, update on billing.reconciliation_run to keyfare_billing');
    await queryRunner.query('grant select, insert, update on billing.control_total to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
