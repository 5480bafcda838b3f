import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A payment without a transaction is in no index of nonces, and what a payer has open in none but its key's: each was
 * written anew with every claim and every post. What all have open together is counted with the claims.
 */
export class LeanPaymentIndexes1796000000800 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop index keyfare.payment_nonce');
    await queryRunner.query(`
      create index payment_nonce on keyfare.payment (network, wallet, wallet_nonce) where wallet is not null`);
    await queryRunner.query('drop index keyfare.payer_exposure_nothing');
    // Room in each page for the next version of a row, which then needs no new entry in the index.
    await queryRunner.query('alter table keyfare.payer_exposure set (fillfactor = 50)');
    await queryRunner.query(`
      create table keyfare.open_total (
        network text not null,
        asset text not null,
        open numeric(78,0) not null,
        constraint open_total_pk primary key (network, asset),
        constraint open_total_open check (open >= 0)
      ) with (fillfactor = 50)`);
    await queryRunner.query(`
      insert into keyfare.open_total (network, asset, open)
      select network, asset, sum(amount) from keyfare.payment
      where flow = 'deferred' and state in ('claimed', 'served', 'settling') group by network, asset`);
    await queryRunner.query('grant select, insert, update on keyfare.open_total to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
