import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What both programs need for the changes that operators make, in their own schema. */
export async function createChangeTables(queryRunner: QueryRunner, schema: string, role: string): Promise<void> {
  await queryRunner.query(`
    create table ${schema}.audit (
      id bigint generated always as identity,
      at timestamptz not null default now(),
      operator_id text not null,
      operator_name text not null,
      action text not null,
      subject text not null,
      before jsonb,
      after jsonb,
      request_id text not null,
      constraint audit_pk primary key (id)
    )`);
  await queryRunner.query(`create index audit_subject on ${schema}.audit (subject, id)`);
  await queryRunner.query(`create index audit_operator on ${schema}.audit (operator_id, id)`);
  await queryRunner.query(`
    create trigger audit_append_only before update or delete or truncate on ${schema}.audit
    execute function ${schema}.append_only()`);
  await queryRunner.query(`
    create table ${schema}.idempotent_request (
      operator_id text not null,
      key_hash bytea not null,
      fingerprint bytea not null,
      answer bytea not null,
      created_at timestamptz not null default now(),
      constraint idempotent_request_pk primary key (operator_id, key_hash),
      constraint idempotent_request_key check (octet_length(key_hash) = 32),
      constraint idempotent_request_fingerprint check (octet_length(fingerprint) = 32)
    )`);
  await queryRunner.query(`
    create index idempotent_request_age on ${schema}.idempotent_request (created_at)`);
  // The time is the database's to say, and a line cannot be dated by who writes it.
  await queryRunner.query(`
    grant select, insert (operator_id, operator_name, action, subject, before, after, request_id)
    on ${schema}.audit to ${role}`);
  await queryRunner.query(`grant select, insert, update, delete on ${schema}.idempotent_request to ${role}`);
}

/** Named operators in place of one token for all, and what they change. Billing reads whose token it is in a view. */
export class CreateOperator1797000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.operator (
        id text not null,
        name text not null,
        scopes text array not null,
        token_hash bytea not null,
        last_four text not null,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        revoked_at timestamptz,
        constraint operator_pk primary key (id),
        constraint operator_name unique (name),
        constraint operator_hash check (octet_length(token_hash) = 32),
        constraint operator_scopes check (scopes <@ array['read', 'write', 'money'] and cardinality(scopes) > 0)
      )`);
    await queryRunner.query(`
      create table keyfare.bootstrap (
        token_hash bytea not null,
        operator_id text not null,
        used_at timestamptz not null,
        constraint bootstrap_pk primary key (token_hash),
        constraint bootstrap_hash check (octet_length(token_hash) = 32)
      )`);
    await queryRunner.query(`
      create view keyfare.operator_feed as
      select id, name, scopes, token_hash, expires_at from keyfare.operator where revoked_at is null and expires_at > now()`);
    await queryRunner.query('grant select, insert, update on keyfare.operator to keyfare_gate');
    await queryRunner.query('grant select, insert on keyfare.bootstrap to keyfare_gate');
    await queryRunner.query('grant select on keyfare.operator_feed to keyfare_gate, keyfare_billing_reader');
    await createChangeTables(queryRunner, 'keyfare', 'keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
