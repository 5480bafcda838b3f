import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which final invoices were proven, and when: the others are read by the next run. */
export class ProveInvoices1799000000900 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.invoice_proof (
        invoice_id uuid not null,
        credited numeric(78,0) not null,
        read_at timestamptz not null,
        constraint invoice_proof_pk primary key (invoice_id)
      )`);
    await queryRunner.query('create index invoice_proof_read on billing.invoice_proof (read_at)');
    await queryRunner.query('grant select, insert, update on billing.invoice_proof to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
