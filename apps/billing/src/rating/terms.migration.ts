import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an account has agreed are its terms; a price book is what a seller asks of everybody. */
export class NameTerms1799000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table billing.price_book rename to terms');
    await queryRunner.query('alter table billing.terms rename constraint price_book_pk to terms_pk');
    await queryRunner.query('alter index billing.price_book_account rename to terms_account');
    await queryRunner.query('alter trigger price_book_append_only on billing.terms rename to terms_append_only');
    await queryRunner.query('alter table billing.charge rename column price_book_id to terms_id');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
