import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** What operators add to the next invoice of an account, or take from it. */
export class AdjustInvoices1799000000962 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.adjustment (
        id uuid not null,
        account text not null,
        period_start timestamptz not null,
        amount numeric(78,0) not null,
        description text not null,
        why text not null,
        needs_approval boolean not null,
        made_by_id text not null,
        made_by text not null,
        made_at timestamptz not null,
        approved_by text,
        approved_at timestamptz,
        withdrawn_by text,
        withdrawn_at timestamptz,
        constraint adjustment_pk primary key (id),
        constraint adjustment_amount check (amount <> 0),
        constraint adjustment_approved check ((approved_by is null) = (approved_at is null)),
        constraint adjustment_withdrawn check ((withdrawn_by is null) = (withdrawn_at is null))
      )`);
    await queryRunner.query('create index adjustment_by_account on billing.adjustment (account)');
    await queryRunner.query('create index adjustment_by_time on billing.adjustment (made_at, id)');
    // What was said stays; that it was approved, or withdrawn, is learned once.
    await queryRunner.query(`
      create function billing.keep_adjustment() returns trigger language plpgsql as $$
      declare
        lives text[] := array['approved_by', 'approved_at', 'withdrawn_by', 'withdrawn_at'];
      begin
        if tg_op = 'UPDATE' and old.withdrawn_at is null and to_jsonb(new) - lives = to_jsonb(old) - lives
          and (old.approved_at is null or (new.approved_by, new.approved_at) = (old.approved_by, old.approved_at)) then
          return new;
        end if;
        raise exception 'billing.adjustment is append-only' using errcode = 'KF002';
      end $$`);
    await queryRunner.query(`
      create trigger adjustment_kept before update or delete on billing.adjustment
      for each row execute function billing.keep_adjustment()`);
    await queryRunner.query(`
      create trigger adjustment_append_only before truncate on billing.adjustment execute function billing.append_only()`);
    await queryRunner.query(`
      create table billing.invoice_adjustment (
        invoice_id uuid not null,
        line integer not null,
        adjustment_id uuid not null,
        amount numeric(78,0) not null,
        constraint invoice_adjustment_pk primary key (invoice_id, line),
        constraint invoice_adjustment_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint invoice_adjustment_of foreign key (adjustment_id) references billing.adjustment (id),
        constraint invoice_adjustment_amount check (amount <> 0)
      )`);
    await queryRunner.query(`
      create index invoice_adjustment_by_adjustment on billing.invoice_adjustment (adjustment_id)`);
    await queryRunner.query(`
      create trigger invoice_adjustment_append_only before update or delete or truncate on billing.invoice_adjustment
      execute function billing.append_only()`);
    await queryRunner.query(`
      grant select, insert, update (approved_by, approved_at, withdrawn_by, withdrawn_at) on billing.adjustment
      to ${billingRole}`);
    await queryRunner.query(`grant select, insert on billing.invoice_adjustment to ${billingRole}`);
    await queryRunner.query(`
      alter table billing.invoice_line drop constraint invoice_line_kind,
        add constraint invoice_line_kind check (kind in ('included', 'overage', 'plan', 'adjustment'))`);
    // A line that took from the invoice is taken back too.
    await queryRunner.query(`
      alter table billing.credit_note_line drop constraint credit_note_line_amount,
        add constraint credit_note_line_amount check (amount <> 0)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
