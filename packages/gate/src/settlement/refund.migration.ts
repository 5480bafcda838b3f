import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Refunds that operators propose and approve, and the transactions that pay them. */
export class PayRefunds1799000000950 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.refund (
        entry_id uuid not null,
        network text not null,
        asset text not null,
        payer text not null,
        amount numeric(78,0) not null,
        state text not null,
        proposed_by text not null,
        proposed_name text not null,
        proposed_at timestamptz not null,
        decided_by text,
        decided_name text,
        decided_at timestamptz,
        valid_before bigint,
        signature bytea,
        unused_at_block bigint,
        replica_id uuid,
        wallet text,
        wallet_nonce bigint,
        transaction text,
        failure text,
        constraint refund_pk primary key (entry_id),
        constraint refund_state check (
          state in ('proposed', 'rejected', 'approved', 'settling', 'settled', 'final')),
        constraint refund_amount check (amount > 0),
        constraint refund_decided check ((decided_by is null) = (state = 'proposed')),
        constraint refund_second check (state in ('proposed', 'rejected') or decided_by <> proposed_by),
        constraint refund_placed check ((wallet_nonce is not null) = (state in ('settling', 'settled', 'final')))
      )`);
    await queryRunner.query(`
      create index refund_open on keyfare.refund (state) where state in ('approved', 'settling', 'settled')`);
    await queryRunner.query('grant select, insert, update on keyfare.refund to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
