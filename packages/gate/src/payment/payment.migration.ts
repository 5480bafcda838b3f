import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Claimed payment authorisations, what payers have open, and the transactions that settle them. */
export class CreatePayment1795000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.payment (
        network text not null,
        asset text not null,
        payer text not null,
        nonce text not null,
        exchange_id uuid not null,
        replica_id uuid not null,
        account_id text,
        key_id text,
        fingerprint bytea not null,
        pay_to text not null,
        amount numeric(78,0) not null,
        valid_after numeric(78,0) not null,
        valid_before numeric(78,0) not null,
        signature bytea not null,
        state text not null default 'claimed',
        claimed_at timestamptz not null,
        unused_at_block bigint,
        waiting_until timestamptz,
        wallet text,
        wallet_nonce bigint,
        transaction text,
        failure text,
        call jsonb,
        response_body bytea,
        constraint payment_pk primary key (network, asset, payer, nonce),
        constraint payment_exchange unique (exchange_id),
        constraint payment_state check (state in ('claimed', 'submitted', 'settled', 'failed')),
        constraint payment_amount check (amount > 0),
        constraint payment_submitted check (
          state = 'claimed' or (wallet is not null and wallet_nonce is not null and call is not null
            and unused_at_block is not null)),
        constraint payment_settled check (state <> 'settled' or transaction is not null)
      )`);
    await queryRunner.query(`
      create index payment_open on keyfare.payment (state, replica_id) where state in ('claimed', 'submitted')`);
    await queryRunner.query(`
      create table keyfare.payer_exposure (
        network text not null,
        asset text not null,
        payer text not null,
        open numeric(78,0) not null,
        constraint payer_exposure_pk primary key (network, asset, payer),
        constraint payer_exposure_open check (open >= 0)
      )`);
    await queryRunner.query(`
      create table keyfare.wallet (
        network text not null,
        address text not null,
        next_nonce bigint not null,
        constraint wallet_pk primary key (network, address)
      )`);
    await queryRunner.query(`
      create table keyfare.settlement (
        transaction text not null,
        network text not null,
        wallet text not null,
        wallet_nonce bigint not null,
        raw bytea not null,
        max_fee_per_gas numeric(78,0) not null,
        max_priority_fee_per_gas numeric(78,0) not null,
        created_at timestamptz not null,
        constraint settlement_pk primary key (transaction)
      )`);
    await queryRunner.query(`
      create index settlement_nonce on keyfare.settlement (network, wallet, wallet_nonce)`);
    await queryRunner.query('grant select, insert, update, delete on keyfare.payment to keyfare_gate');
    await queryRunner.query('grant select, insert, update on keyfare.payer_exposure, keyfare.wallet to keyfare_gate');
    await queryRunner.query('grant select, insert on keyfare.settlement to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
