import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Reminders of invoices that are overdue, as they were written. */
export class WriteReminders1799000000961 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.reminder (
        id uuid not null,
        customer_id uuid not null,
        seller_id uuid not null,
        level integer not null,
        language text not null,
        total numeric(78,0) not null,
        subject text not null,
        body text not null,
        made_by text not null,
        made_at timestamptz not null,
        constraint reminder_pk primary key (id),
        constraint reminder_customer foreign key (customer_id) references billing.customer (id),
        constraint reminder_seller foreign key (seller_id) references billing.seller (id),
        constraint reminder_level check (level > 0),
        constraint reminder_total check (total > 0)
      )`);
    await queryRunner.query('create index reminder_by_time on billing.reminder (made_at, id)');
    await queryRunner.query(`
      create table billing.reminder_invoice (
        reminder_id uuid not null,
        invoice_id uuid not null,
        level integer not null,
        due_on date not null,
        outstanding numeric(78,0) not null,
        constraint reminder_invoice_pk primary key (reminder_id, invoice_id),
        constraint reminder_invoice_reminder foreign key (reminder_id) references billing.reminder (id),
        constraint reminder_invoice_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint reminder_invoice_level unique (invoice_id, level)
      )`);
    for (const table of ['reminder', 'reminder_invoice']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to ${billingRole}`);
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
