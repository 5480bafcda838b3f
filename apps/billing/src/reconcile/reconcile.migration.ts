import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Differences, and the runs that found them. */
export class CreateReconcile1796000000600 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.break (
        id text not null,
        class text not null,
        keys jsonb not null,
        asset text,
        amount numeric(78,0),
        side text not null,
        detail text not null,
        status text not null,
        owner text,
        resolution text,
        note text,
        resolved_by text,
        resolved_at timestamptz,
        history jsonb not null,
        first_seen timestamptz not null,
        last_seen timestamptz not null,
        present boolean not null,
        run_id uuid not null,
        constraint break_pk primary key (id),
        constraint break_status check (status in ('open', 'resolved')),
        constraint break_side check (side in ('receipt', 'usage', 'ledger', 'chain')),
        constraint break_resolution check (
          case status when 'open' then resolution is null and resolved_by is null and resolved_at is null
          else resolution is not null and resolved_by in ('system', 'operator') and resolved_at is not null end)
      )`);
    await queryRunner.query('create index break_by_status on billing.break (status, first_seen, id)');
    await queryRunner.query(`
      create table billing.reconciliation (
        id uuid not null,
        trigger text not null,
        started_at timestamptz not null,
        finished_at timestamptz not null,
        entries_as_of timestamptz,
        chain_as_of timestamptz,
        report jsonb not null,
        digest bytea not null,
        constraint reconciliation_pk primary key (id)
      )`);
    await queryRunner.query('create index reconciliation_finished on billing.reconciliation (finished_at)');
    await queryRunner.query(`
      create trigger reconciliation_append_only before update or delete or truncate on billing.reconciliation
      execute function billing.append_only()`);
    await queryRunner.query('grant select, insert, update on billing.break to keyfare_billing');
    await queryRunner.query('grant select, insert on billing.reconciliation to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
