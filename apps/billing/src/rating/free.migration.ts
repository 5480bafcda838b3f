import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Calls that their routes gave away are charges of nothing, on a rail of their own. */
export class ChargeFreeCalls1798000000320 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.charge
        drop constraint charge_rail,
        drop constraint charge_split,
        add constraint charge_rail check (rail in ('key', 'x402', 'free')),
        add constraint charge_split check (
          case rail when 'key' then asset = 'USD' and included + overage = units and amount = overage * unit_price
            and price_book_id is not null and account is not null
          when 'free' then asset = 'USD' and included = 0 and overage = 0 and amount = 0 and unit_price is null
            and price_book_id is null and account is null and payer is not null
          else asset = 'USDC' and included = 0 and overage = 0 and payer is not null end)`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
