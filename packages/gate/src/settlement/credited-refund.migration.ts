import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is owed back may become credit of a customer: then no refund of it can be paid. */
export class CreditRefunds1799000000991 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.refund
        drop constraint refund_state,
        drop constraint refund_second,
        add constraint refund_state check (
          state in ('proposed', 'rejected', 'credited', 'approved', 'settling', 'settled', 'final')),
        add constraint refund_second check (state in ('proposed', 'rejected', 'credited') or decided_by <> proposed_by)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
