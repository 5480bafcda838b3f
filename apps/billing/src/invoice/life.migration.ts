import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Invoices become final, are paid, credited and voided; what is final changes in nothing but its state. */
export class LiveInvoices1799000000510 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table billing.customer add column tax_code text');
    await queryRunner.query(`
      alter table billing.invoice
        add column attempt integer not null default 1,
        add column series text,
        add column sequence bigint,
        add column contract_id uuid,
        add column customer_id uuid,
        add column seller jsonb,
        add column customer jsonb,
        add column issued_at timestamptz,
        add column due_on date,
        add column subtotal_cents numeric(78,0),
        add column tax_cents numeric(78,0),
        add column tax_code text,
        add column tax_points integer,
        add column tax_reason text,
        add column up_to_place bigint,
        add column first_place bigint,
        add column last_place bigint,
        add column entries_digest bytea,
        add column document text,
        add column paid numeric(78,0) not null default 0,
        add column credited numeric(78,0) not null default 0,
        add column approved_digest bytea,
        add column approved_by text,
        add constraint invoice_sequence unique (series, sequence),
        drop constraint invoice_state,
        add constraint invoice_state check (
          state in ('draft', 'final', 'partially_paid', 'paid', 'void', 'uncollectible'))`);
    await this.#tables(queryRunner);
    await queryRunner.query(`
      create or replace function billing.keep_invoice() returns trigger language plpgsql as $$
      declare
        lives text[] := array['state', 'updated_at', 'paid', 'credited'];
        ways text[] := case old.state
          when 'final' then array['final', 'partially_paid', 'paid', 'void', 'uncollectible']
          when 'partially_paid' then array['partially_paid', 'paid', 'uncollectible']
          when 'paid' then array['paid']
          else array[]::text[] end;
      begin
        if old.state <> 'draft' and (new.state <> all (ways)
          or to_jsonb(new) - lives <> to_jsonb(old) - lives or new.paid < old.paid or new.credited < old.credited)
        then
          raise exception 'invoice % is %', old.id, old.state using errcode = 'KF002';
        end if;
        return new;
      end $$`);
  }

  async #tables(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.number_series (
        series text not null,
        last bigint not null,
        constraint number_series_pk primary key (series)
      )`);
    await queryRunner.query(`
      create table billing.invoice_late (
        invoice_id uuid not null,
        entry_id uuid not null,
        constraint invoice_late_pk primary key (invoice_id, entry_id),
        constraint invoice_late_invoice foreign key (invoice_id) references billing.invoice (id)
      )`);
    await queryRunner.query('create index invoice_late_by_entry on billing.invoice_late (entry_id)');
    await queryRunner.query(`
      create table billing.invoice_release (
        invoice_id uuid not null,
        line integer not null,
        day date not null,
        slug text not null,
        amount numeric(78,0) not null,
        released_at timestamptz,
        constraint invoice_release_pk primary key (invoice_id, line, day),
        constraint invoice_release_invoice foreign key (invoice_id) references billing.invoice (id)
      )`);
    await queryRunner.query(`
      create table billing.invoice_payment (
        source text not null,
        invoice_id uuid not null,
        debit text not null,
        amount numeric(78,0) not null,
        applied_at timestamptz not null,
        constraint invoice_payment_pk primary key (source, invoice_id),
        constraint invoice_payment_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint invoice_payment_amount check (amount > 0)
      )`);
    await queryRunner.query('create index invoice_payment_by_invoice on billing.invoice_payment (invoice_id)');
    await queryRunner.query(`
      create table billing.credit_note (
        id uuid not null,
        invoice_id uuid not null,
        number text not null,
        series text not null,
        sequence bigint not null,
        reason text not null,
        amount numeric(78,0) not null,
        subtotal_cents numeric(78,0) not null,
        tax_cents numeric(78,0) not null,
        total_cents numeric(78,0) not null,
        to_credit numeric(78,0) not null,
        digest bytea not null,
        document text not null,
        issued_at timestamptz not null,
        constraint credit_note_pk primary key (id),
        constraint credit_note_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint credit_note_sequence unique (series, sequence),
        constraint credit_note_total check (total_cents > 0 and total_cents = subtotal_cents + tax_cents)
      )`);
    await queryRunner.query('create index credit_note_by_invoice on billing.credit_note (invoice_id)');
    await queryRunner.query(`
      create table billing.credit_note_line (
        credit_note_id uuid not null,
        line integer not null,
        amount numeric(78,0) not null,
        constraint credit_note_line_pk primary key (credit_note_id, line),
        constraint credit_note_line_note foreign key (credit_note_id) references billing.credit_note (id),
        constraint credit_note_line_amount check (amount > 0)
      )`);
    for (const table of ['invoice_late', 'invoice_payment', 'credit_note', 'credit_note_line']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to ${billingRole}`);
    }
    await queryRunner.query(`grant select, insert, update on billing.number_series to ${billingRole}`);
    await queryRunner.query(`grant select, insert, update (released_at) on billing.invoice_release to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
