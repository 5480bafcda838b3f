import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Terms say when the account's contract ends. A call that was made at or after its end is a bad entry. */
export class EndTerms1797000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table billing.price_book add column ends_at timestamptz');
    await queryRunner.query(`
      alter table billing.entry drop constraint entry_fault, add constraint entry_fault check (
        fault in ('receipt-invalid', 'digest-mismatch', 'receipt-missing', 'usage-mismatch', 'terms-missing', 'call-mismatch',
          'account-ended'))`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
