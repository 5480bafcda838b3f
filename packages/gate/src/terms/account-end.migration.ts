import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Billing compares the agreed end of an account with what the log tells of it. */
export class ShowAccountEnds1797000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // A column at the end of a view keeps its grants.
    await queryRunner.query(`
      create or replace view keyfare.account_feed as
      select id as account_id, plan_id, revision, effective_at, ends_at from keyfare.account`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
