import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** A match of a bank payment can be undone by a person: then its invoice is to be paid again. */
export class UnmatchPayments1799000000960 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.match add column undone_by text,
        add constraint match_undone_by check (undone_by is null or state = 'undone')`);
    await queryRunner.query(`
      create or replace function billing.keep_match() returns trigger language plpgsql as $$
      declare
        lives text[] := array['state', 'final_at', 'undone_at', 'undone_by', 'why'];
      begin
        if tg_op = 'UPDATE' and old.state <> 'undone' and to_jsonb(new) - lives = to_jsonb(old) - lives then
          return new;
        end if;
        raise exception 'billing.match is append-only' using errcode = 'KF002';
      end $$`);
    await queryRunner.query(`grant update (undone_by) on billing.match to ${billingRole}`);
    await queryRunner.query(`
      create table billing.invoice_payment_undone (
        source text not null,
        invoice_id uuid not null,
        undone_at timestamptz not null,
        effective_at timestamptz not null,
        undone_by text not null,
        why text not null,
        constraint invoice_payment_undone_pk primary key (source, invoice_id),
        constraint invoice_payment_undone_of foreign key (source, invoice_id)
          references billing.invoice_payment (source, invoice_id)
      )`);
    await queryRunner.query(`
      create trigger invoice_payment_undone_append_only before update or delete or truncate
      on billing.invoice_payment_undone execute function billing.append_only()`);
    await queryRunner.query(`grant select, insert on billing.invoice_payment_undone to ${billingRole}`);
    // Less is paid only where a payment was undone, and only then an invoice goes back.
    await queryRunner.query(`
      create or replace function billing.keep_invoice() returns trigger language plpgsql as $$
      declare
        lives text[] := array['state', 'updated_at', 'paid', 'credited'];
        ways text[] := case
          when old.state in ('partially_paid', 'paid') and new.paid < old.paid then array['final', 'partially_paid']
          when old.state = 'final' then array['final', 'partially_paid', 'paid', 'void', 'uncollectible']
          when old.state = 'partially_paid' then array['partially_paid', 'paid', 'uncollectible']
          when old.state = 'paid' then array['paid']
          else array[]::text[] end;
      begin
        if old.state <> 'draft' and (new.state <> all (ways)
          or to_jsonb(new) - lives <> to_jsonb(old) - lives or new.credited < old.credited
          or new.paid < old.paid and new.paid <> (
            select coalesce(sum(p.amount), 0) from billing.invoice_payment p
            where p.invoice_id = old.id and not exists (
              select 1 from billing.invoice_payment_undone u where u.source = p.source and u.invoice_id = p.invoice_id)))
        then
          raise exception 'invoice % is %', old.id, old.state using errcode = 'KF002';
        end if;
        return new;
      end $$`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
