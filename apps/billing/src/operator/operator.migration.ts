import { createChangeTables } from '@keyfare/gate/operators';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole, schema } from '../schema.js';

/** What operators change in the books, and the answers that a request with the same `Idempotency-Key` gets again. */
export class AuditChanges1797000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await createChangeTables(queryRunner, schema, billingRole);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** The operators that were let in lately: for the time in which the API's database cannot be asked. */
export class KnowOperators1797000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.known_operator (
        id text not null,
        name text not null,
        scopes text array not null,
        token_hash bytea not null,
        expires_at timestamptz not null,
        seen_at timestamptz not null default now(),
        constraint known_operator_pk primary key (id),
        constraint known_operator_hash check (octet_length(token_hash) = 32)
      )`);
    await queryRunner.query(`grant select, insert, update, delete on billing.known_operator to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/** Sessions are known as operators are; those whom it knows come back with their next request. */
export class KnowSessions1799000000980 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('delete from billing.known_operator');
    await queryRunner.query('alter table billing.known_operator add column operator_id text not null');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
