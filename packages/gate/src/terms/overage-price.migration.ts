import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tells a price of zero from none. Plans of before keep what they meant: their zero was the default, and a wallet was
 * asked for the route's own price. A process of the release before goes on writing such plans.
 */
export class TellZeroOverage1796000001100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table keyfare.plan add column overage_is_priced boolean not null default false');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
