import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A payment without a transaction is in no index of nonces, and what a payer has open in none but its key's: each was
 * written anew with every claim and every post.
 */
export class LeanPaymentIndexes1796000000800 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop index keyfare.payment_nonce');
    await queryRunner.query(`
      create index payment_nonce on keyfare.payment (network, wallet, wallet_nonce) where wallet is not null`);
    await queryRunner.query('drop index keyfare.payer_exposure_nothing');
    // Room in each page for the next version of a row, which then needs no new entry in the index.
    await queryRunner.query('alter table keyfare.payer_exposure set (fillfactor = 50)');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
