import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Sessions of customers who sign in with a key. */
export class LetCustomersIn1799000000990 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.customer_session (
        token_hash bytea not null,
        account text not null,
        sealed_key bytea not null,
        checked_at timestamptz not null,
        expires_at timestamptz not null,
        constraint customer_session_pk primary key (token_hash),
        constraint customer_session_hash check (octet_length(token_hash) = 32)
      )`);
    await queryRunner.query('create index customer_session_end on billing.customer_session (expires_at)');
    await queryRunner.query(`grant select, insert, update, delete on billing.customer_session to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
