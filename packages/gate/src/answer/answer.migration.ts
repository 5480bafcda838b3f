import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Answers in a table of their own: they are deleted, and no transaction that locks a wallet carries a body. */
export class CreateAnswer1796000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.answer (
        exchange_id uuid not null,
        owners bytea not null,
        status smallint not null,
        headers jsonb not null,
        body bytea not null,
        expires_at timestamptz not null,
        constraint answer_pk primary key (exchange_id),
        constraint answer_owners check (octet_length(owners) % 32 = 0),
        constraint answer_status check (status between 200 and 399)
      )`);
    await queryRunner.query('create index answer_age on keyfare.answer (expires_at)');
    // Callers of the release before had no way to show that an answer is theirs: what they may still wait for is what
    // was never theirs yet, the answers of payments that are not settled.
    await queryRunner.query(`
      insert into keyfare.answer (exchange_id, owners, status, headers, body, expires_at)
      select exchange_id, ''::bytea, coalesce((call ->> 'status')::smallint, 200),
        case when call ? 'contentType' then jsonb_build_object('content-type', call ->> 'contentType') else '{}' end,
        response_body, now() + interval '1 hour'
      from keyfare.payment
      where state = 'settling' and call is not null and response_body is not null
        and coalesce((call ->> 'status')::smallint, 200) between 200 and 399`);
    await queryRunner.query('alter table keyfare.payment drop column response_body');
    await queryRunner.query('grant select, insert, update, delete on keyfare.answer to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
