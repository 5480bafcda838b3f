import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts pay ahead by a line of an invoice, and later invoices draw on that. */
export class PayAhead1799000000965 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.adjustment add column prepaid boolean not null default false,
        add constraint adjustment_prepaid check (not prepaid or amount > 0)`);
    await queryRunner.query(`
      alter table billing.invoice_line drop constraint invoice_line_kind,
        add constraint invoice_line_kind check (
          kind in ('included', 'overage', 'plan', 'commit', 'adjustment', 'prepaid'))`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
