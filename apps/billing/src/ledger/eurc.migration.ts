import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * EURC is counted beside USDC, in accounts of its own. What is booked stays as it is: an account has one asset for
 * ever, and each journal sums to zero in each asset.
 */
export class CountEurc1798000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.ledger_account
        drop constraint ledger_account_known_asset,
        add constraint ledger_account_known_asset check (asset in ('USD', 'USDC', 'EURC'))`);
    await queryRunner.query(`
      alter table billing.charge
        drop constraint charge_split,
        add constraint charge_split check (
          case rail when 'key' then asset = 'USD' and included + overage = units and amount = overage * unit_price
            and price_book_id is not null and account is not null
          when 'free' then asset = 'USD' and included = 0 and overage = 0 and amount = 0 and unit_price is null
            and price_book_id is null and account is null and payer is not null
          else asset in ('USDC', 'EURC') and included = 0 and overage = 0 and payer is not null end)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
