import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Invoices. This version writes drafts; the states that follow, and that nothing but a draft changes, are laid down.
 */
export class CreateInvoice1796000000500 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.invoice (
        id uuid not null,
        number text,
        state text not null,
        account text not null,
        account_name text not null,
        period_start timestamptz not null,
        period_end timestamptz not null,
        total numeric(78,0) not null,
        payable_cents numeric(78,0) not null,
        receipts bigint not null,
        first_entry uuid,
        last_entry uuid,
        terms bigint not null,
        digest bytea not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        constraint invoice_pk primary key (id),
        constraint invoice_number unique (number),
        constraint invoice_state check (state in ('draft', 'final', 'paid', 'void')),
        constraint invoice_numbered check ((state = 'draft') = (number is null)),
        constraint invoice_period check (period_start < period_end)
      )`);
    await queryRunner.query(`
      create unique index invoice_account_period on billing.invoice (account, period_start) where state <> 'void'`);
    await queryRunner.query('create index invoice_by_period on billing.invoice (period_start, account)');
    await queryRunner.query(`
      create table billing.invoice_line (
        invoice_id uuid not null,
        line integer not null,
        kind text not null,
        description text not null,
        sku text,
        quantity numeric(78,0) not null,
        unit_price numeric(78,0) not null,
        amount numeric(78,0) not null,
        constraint invoice_line_pk primary key (invoice_id, line),
        constraint invoice_line_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint invoice_line_kind check (kind in ('included', 'overage', 'plan'))
      )`);
    await queryRunner.query(`
      create function billing.keep_lines() returns trigger language plpgsql as $$
      declare
        invoice uuid := case when tg_op = 'DELETE' then old.invoice_id else new.invoice_id end;
      begin
        if exists (select 1 from billing.invoice i where i.id = invoice and i.state <> 'draft') then
          raise exception 'the lines of invoice % are final', invoice using errcode = 'KF002';
        end if;
        return coalesce(new, old);
      end $$`);
    await queryRunner.query(`
      create trigger invoice_line_kept before insert or update or delete on billing.invoice_line
      for each row execute function billing.keep_lines()`);
    // What a customer was sent stays: only its state goes on, and never back.
    await queryRunner.query(`
      create function billing.keep_invoice() returns trigger language plpgsql as $$
      begin
        if old.state <> 'draft' and (old.state <> 'final' or new.state not in ('paid', 'void')
          or to_jsonb(new) - array['state', 'updated_at'] <> to_jsonb(old) - array['state', 'updated_at'])
        then
          raise exception 'invoice % is %', old.id, old.state using errcode = 'KF002';
        end if;
        return new;
      end $$`);
    await queryRunner.query(`
      create trigger invoice_kept before update on billing.invoice
      for each row execute function billing.keep_invoice()`);
    await queryRunner.query('grant select, insert, update on billing.invoice to keyfare_billing');
    await queryRunner.query('grant select, insert, delete on billing.invoice_line to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
