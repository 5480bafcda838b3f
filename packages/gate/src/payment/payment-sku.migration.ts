import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A claim keeps what it is paid for: a refund that is due after its process died names it. Earlier rows stay without.
 */
export class NamePaymentSku1796000000900 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table keyfare.payment add column sku text');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
