import type { MigrationInterface, QueryRunner } from 'typeorm';

/** API keys, and the secrets that prove them. Whatever changes either, every process hears of it. */
export class CreateKey1795000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.api_key (
        id text not null,
        account_id text not null,
        environment text not null,
        name text not null,
        scopes text array not null default '{}',
        version bigint not null default 1,
        created_at timestamptz not null,
        expires_at timestamptz,
        revoked_at timestamptz,
        constraint api_key_pk primary key (id),
        constraint api_key_account foreign key (account_id) references keyfare.account (id) on delete restrict,
        constraint api_key_environment check (environment in ('live', 'test'))
      )`);
    await queryRunner.query('create index api_key_account_index on keyfare.api_key (account_id)');
    await queryRunner.query(`
      create table keyfare.api_key_secret (
        id uuid not null,
        key_id text not null,
        hash bytea not null,
        pepper_id text not null,
        last_four text not null,
        created_at timestamptz not null,
        activated_at timestamptz,
        grace_seconds integer not null default 0,
        expires_at timestamptz,
        constraint api_key_secret_pk primary key (id),
        constraint api_key_secret_key foreign key (key_id) references keyfare.api_key (id) on delete cascade,
        constraint api_key_secret_hash check (octet_length(hash) = 32)
      )`);
    // One rotation at a time: a key has at most one secret that was never used.
    await queryRunner.query(`
      create unique index api_key_secret_pending on keyfare.api_key_secret (key_id) where activated_at is null`);
    await queryRunner.query('create index api_key_secret_key_index on keyfare.api_key_secret (key_id)');
    await this.#notify(queryRunner);
    await queryRunner.query('grant select, insert, update on keyfare.api_key to keyfare_gate');
    await queryRunner.query('grant select, insert, update, delete on keyfare.api_key_secret to keyfare_gate');
  }

  /** The version counts the changes, so that a process which read just before one can tell that it is late. */
  async #notify(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create function keyfare.api_key_changing() returns trigger language plpgsql as $$
      begin
        new.version = old.version + 1;
        perform pg_notify('keyfare_key', new.id || ' ' || new.version);
        return new;
      end $$`);
    await queryRunner.query(`
      create trigger api_key_changing before update on keyfare.api_key
      for each row execute function keyfare.api_key_changing()`);
    await queryRunner.query(`
      create function keyfare.api_key_secret_changed() returns trigger language plpgsql as $$
      begin
        update keyfare.api_key set version = version where id = coalesce(new.key_id, old.key_id);
        return null;
      end $$`);
    await queryRunner.query(`
      create trigger api_key_secret_changed after insert or update or delete on keyfare.api_key_secret
      for each row execute function keyfare.api_key_secret_changed()`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
