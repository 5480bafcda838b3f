import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** What of bank payments is a customer's credit, and what of that was applied. Invoices are found by their number. */
export class CreditCustomers1799000000810 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.customer_credit (
        id uuid not null,
        customer_id uuid not null,
        bank_payment_id uuid,
        invoice_id uuid,
        amount numeric(78,0) not null,
        made_by text not null,
        made_at timestamptz not null,
        constraint customer_credit_pk primary key (id),
        constraint customer_credit_customer foreign key (customer_id) references billing.customer (id),
        constraint customer_credit_bank_payment foreign key (bank_payment_id) references billing.bank_payment (id),
        constraint customer_credit_invoice foreign key (invoice_id) references billing.invoice (id),
        constraint customer_credit_amount check (amount > 0),
        constraint customer_credit_side check (num_nonnulls(bank_payment_id, invoice_id) = 1)
      )`);
    await queryRunner.query('create index customer_credit_of on billing.customer_credit (customer_id)');
    await queryRunner.query(`
      create index customer_credit_payment on billing.customer_credit (bank_payment_id)
      where bank_payment_id is not null`);
    await queryRunner.query(`
      create trigger customer_credit_append_only before update or delete or truncate on billing.customer_credit
      execute function billing.append_only()`);
    await queryRunner.query(`grant select, insert on billing.customer_credit to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
