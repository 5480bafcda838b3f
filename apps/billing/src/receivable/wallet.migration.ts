import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** The wallets that customers pay invoices from. */
export class KnowCustomerWallets1799000000820 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.customer_wallet (
        address text not null,
        customer_id uuid not null,
        added_by text not null,
        added_at timestamptz not null,
        constraint customer_wallet_pk primary key (address),
        constraint customer_wallet_customer foreign key (customer_id) references billing.customer (id)
      )`);
    await queryRunner.query(`grant select, insert on billing.customer_wallet to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
