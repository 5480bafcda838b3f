import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is rare among transfers and payments is found without looking at the others. */
export class FindRarities1799000000989 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('create index chain_transfer_dust on billing.chain_transfer (block_time) where dust');
    await queryRunner.query(`create index payment_unpaid on billing.payment (issued_at) where outcome = 'unpaid'`);
    await queryRunner.query(`create index payment_owed on billing.payment (issued_at) where outcome = 'refund-due'`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
