import type { MigrationInterface, QueryRunner } from 'typeorm';
import { gasSpent } from '../gas-spent.sql.js';
import { billingRole } from '../schema.js';

/**
 * What each transaction of a settler has cost and brought in, so that the report of gas reads only its month; and
 * transfers are found by their sender, so that the one of sweeps does not look at those of strangers.
 */
export class KeepGas1799000000988 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.gas_spent (
        network text not null,
        transaction text not null,
        settler text not null,
        day date not null,
        block_time timestamptz not null,
        fee numeric(78,0) not null,
        payments bigint not null,
        usdc numeric(78,0) not null,
        eurc numeric(78,0) not null,
        constraint gas_spent_pk primary key (network, transaction)
      )`);
    await queryRunner.query(`
      insert into billing.gas_spent (network, transaction, settler, day, block_time, fee, payments, usdc, eurc)
      ${gasSpent('true')}`);
    await queryRunner.query('create index gas_spent_by_day on billing.gas_spent (day, network, settler, transaction)');
    await queryRunner.query(
      'create index chain_transfer_from on billing.chain_transfer (from_address, block_time) where orphaned_at is null',
    );
    await queryRunner.query(`grant select, insert, delete on billing.gas_spent to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
