import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Operators sign in to the console: passwords, sessions, and links that let somebody in once. */
export class SignIn1799000000980 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.operator add column password_hash text, add column password_changed_at timestamptz`);
    await queryRunner.query(`
      create table keyfare.session (
        id text not null,
        operator_id text not null,
        token_hash bytea not null,
        begun_by text not null,
        address text not null,
        agent text not null,
        created_at timestamptz not null default now(),
        seen_at timestamptz not null default now(),
        idle_at timestamptz not null,
        expires_at timestamptz not null,
        confirmed_until timestamptz,
        constraint session_pk primary key (id),
        constraint session_operator_fk foreign key (operator_id) references keyfare.operator,
        constraint session_hash check (octet_length(token_hash) = 32),
        constraint session_begun_by check (begun_by in ('password', 'link'))
      )`);
    await queryRunner.query('create index session_newest on keyfare.session (created_at desc, id desc)');
    await queryRunner.query('create index session_operator on keyfare.session (operator_id, created_at)');
    await queryRunner.query(`
      create table keyfare.sign_in_link (
        token_hash bytea not null,
        operator_id text not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null,
        used_at timestamptz,
        constraint sign_in_link_pk primary key (token_hash),
        constraint sign_in_link_operator_fk foreign key (operator_id) references keyfare.operator,
        constraint sign_in_link_hash check (octet_length(token_hash) = 32)
      )`);
    // A session is as good as the operator's token, for its time; it ends with the operator, not with the token.
    await queryRunner.query(`
      create or replace view keyfare.operator_feed as
      select id, name, scopes, token_hash, expires_at, id as operator_id, false as confirmed
      from keyfare.operator where revoked_at is null and expires_at > now()
      union all
      select s.id, o.name, o.scopes, s.token_hash, least(s.idle_at, s.expires_at), o.id,
        coalesce(s.confirmed_until > now(), false)
      from keyfare.session s join keyfare.operator o on o.id = s.operator_id
      where o.revoked_at is null and least(s.idle_at, s.expires_at) > now()`);
    await queryRunner.query('grant select, insert, update, delete on keyfare.session to keyfare_gate');
    await queryRunner.query('grant select, insert, update, delete on keyfare.sign_in_link to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
