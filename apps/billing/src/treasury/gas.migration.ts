import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** What settlers were seen to hold of the coin that gas is paid in. */
export class ReadGas1799000000941 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.gas_reading (
        id uuid not null,
        network text not null,
        wallet text not null,
        block_number bigint not null,
        block_time timestamptz not null,
        balance numeric(78,0) not null,
        booked numeric(78,0) not null,
        state text not null,
        kind text,
        taken_at timestamptz not null,
        decided_by text,
        decided_at timestamptz,
        constraint gas_reading_pk primary key (id),
        constraint gas_reading_state check (state in ('agreed', 'proposed', 'posted', 'superseded')),
        constraint gas_reading_kind check (
          (kind is null) = (balance = booked) and kind in ('opening', 'top-up', 'other-gas')),
        constraint gas_reading_decided check ((decided_at is null) = (state <> 'posted' or kind = 'opening'))
      )`);
    await queryRunner.query(
      'create unique index gas_reading_block on billing.gas_reading (network, wallet, block_number)',
    );
    await queryRunner.query(
      `grant select, insert, update (state, decided_by, decided_at) on billing.gas_reading to ${billingRole}`,
    );
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
