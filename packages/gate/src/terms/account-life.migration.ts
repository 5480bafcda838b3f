import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts end: at once, or on a day that was agreed. What ended stays, for its invoices and its receipts. */
export class EndAccounts1797000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.account
        drop constraint account_status,
        add column ends_at timestamptz,
        add constraint account_status check (status in ('active', 'suspended', 'closed')),
        add constraint account_closed check (status <> 'closed' or ends_at is not null)`);
    await queryRunner.query('create index account_order on keyfare.account (created_at, id)');
    await queryRunner.query('create index api_key_order on keyfare.api_key (account_id, created_at, id)');
    await queryRunner.query('drop index keyfare.api_key_account_index');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
