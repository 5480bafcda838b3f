import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is owed back to a wallet of a customer may become the customer's credit. */
export class CreditRefunds1799000000942 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table billing.customer_credit add column entry_id uuid');
    await queryRunner.query('alter table billing.customer_credit drop constraint customer_credit_side');
    await queryRunner.query(`
      alter table billing.customer_credit
      add constraint customer_credit_side check (num_nonnulls(bank_payment_id, invoice_id, entry_id) = 1)`);
    await queryRunner.query(`
      create unique index customer_credit_entry on billing.customer_credit (entry_id) where entry_id is not null`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
