import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What was signed, as it was signed, and the public keys that verify it. */
export class CreateReceipt1795000000500 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.receipt (
        id uuid not null,
        kind text not null,
        principal text not null,
        kid text not null,
        jws text not null,
        issued_at timestamptz not null,
        constraint receipt_pk primary key (id)
      )`);
    await queryRunner.query(`
      create table keyfare.receipt_key (
        kid text not null,
        jwk jsonb not null,
        created_at timestamptz not null,
        constraint receipt_key_pk primary key (kid)
      )`);
    await queryRunner.query(`
      create trigger receipt_append_only before update or delete or truncate on keyfare.receipt
      execute function keyfare.append_only()`);
    await queryRunner.query('grant select, insert on keyfare.receipt, keyfare.receipt_key to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
