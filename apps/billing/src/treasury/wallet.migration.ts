import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/**
 * The wallets that are known, those that were read before among them, and which transfers are dust. Where there are two
 * or more, what moved between them is booked anew as a sweep by the reading of the chain.
 */
export class KnowWallets1799000000940 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.wallet (
        network text not null,
        address text not null,
        kind text not null,
        label text not null,
        since timestamptz not null,
        added_by text,
        added_at timestamptz not null,
        applied boolean not null,
        applied_up_to uuid,
        constraint wallet_pk primary key (network, address),
        constraint wallet_kind check (kind in ('till', 'treasury', 'settler', 'service', 'other')),
        constraint wallet_address check (address ~ '^0x[0-9a-f]{40}$')
      )`);
    await queryRunner.query('create index wallet_unapplied on billing.wallet (network) where not applied');
    await queryRunner.query(`
      insert into billing.wallet (network, address, kind, label, since, added_at, applied)
      select network, pay_to, 'till', 'Till', timestamptz 'epoch', now(), count(*) over (partition by network) = 1
      from (select distinct network, pay_to from billing.chain_cursor where pay_to ~ '^0x[0-9a-f]{40}$') as read`);
    await queryRunner.query(`grant select, insert, update on billing.wallet to ${billingRole}`);
    await queryRunner.query('alter table billing.chain_transfer add column dust boolean not null default false');
    await queryRunner.query(`
      create index chain_transfer_out on billing.chain_transfer (network, block_time)
      where orphaned_at is null and from_address = pay_to`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
