import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Flows and the states of payments up to finality; a list of payers from whom nothing is taken. */
export class PaymentFlows1796000000300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.payment
        drop constraint payment_state,
        drop constraint payment_submitted,
        drop constraint payment_settled,
        add column flow text not null default 'authorization',
        add column served_at timestamptz,
        add column refund_due_at timestamptz`);
    await queryRunner.query('drop index keyfare.payment_open');
    // What was settled within the last hour is watched until it is final; what is older has been for long.
    await queryRunner.query(`
      update keyfare.payment set state = case
        when state = 'submitted' then 'settling'
        when state = 'settled' and claimed_at < now() - interval '1 hour' then 'final'
        when state = 'failed' and failure = 'authorization-expired' then 'expired'
        else state end
      where state <> 'claimed'`);
    await queryRunner.query(`
      alter table keyfare.payment
        add constraint payment_flow check (flow in ('authorization', 'upfront', 'deferred')),
        add constraint payment_state check (
          state in ('claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired')),
        add constraint payment_served check (state <> 'served' or (call is not null and served_at is not null)),
        add constraint payment_settling check (
          state <> 'settling' or (wallet is not null and wallet_nonce is not null and unused_at_block is not null)),
        add constraint payment_settled check (state not in ('settled', 'final') or transaction is not null),
        add constraint payment_refund check (refund_due_at is null or call is null)`);
    await queryRunner.query(`
      create index payment_open on keyfare.payment (state, replica_id)
      where state in ('claimed', 'served', 'settling', 'settled')`);
    await queryRunner.query(`
      create index payment_unserved on keyfare.payment (replica_id)
      where flow = 'upfront' and call is null and refund_due_at is null`);
    await queryRunner.query('create index payment_nonce on keyfare.payment (network, wallet, wallet_nonce)');
    await queryRunner.query('delete from keyfare.payer_exposure where open = 0');
    await queryRunner.query('create index payer_exposure_nothing on keyfare.payer_exposure (open) where open = 0');
    await queryRunner.query(`
      create table keyfare.blocked_payer (
        payer text not null,
        reason text not null,
        blocked_at timestamptz not null,
        constraint blocked_payer_pk primary key (payer)
      )`);
    await queryRunner.query('grant select, insert, update, delete on keyfare.blocked_payer to keyfare_gate');
    await queryRunner.query('grant delete on keyfare.payer_exposure to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
