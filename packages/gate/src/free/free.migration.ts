import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Free calls: how many were given away in all and to each caller, and those that are under way. */
export class CountFreeCalls1798000000320 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.free_tier (
        name text not null,
        ends_at timestamptz not null,
        taken bigint not null,
        constraint free_tier_pk primary key (name),
        constraint free_tier_taken check (taken >= 0)
      ) with (fillfactor = 10)`);
    await queryRunner.query(`
      create table keyfare.free_caller (
        subject bytea not null,
        ends_at timestamptz not null,
        calls integer not null,
        used integer not null,
        held integer not null,
        granted integer not null,
        constraint free_caller_pk primary key (subject),
        constraint free_caller_counts check (used >= 0 and held >= 0),
        constraint free_caller_subject check (octet_length(subject) = 32)
      )`);
    await queryRunner.query('create index free_caller_end on keyfare.free_caller (ends_at)');
    await queryRunner.query(`
      create table keyfare.free_hold (
        exchange_id uuid not null,
        subject bytea not null,
        tier text not null,
        replica_id uuid not null,
        held_at timestamptz not null default now(),
        constraint free_hold_pk primary key (exchange_id)
      )`);
    await queryRunner.query(`
      grant select, insert, update, delete on keyfare.free_tier, keyfare.free_caller, keyfare.free_hold
      to keyfare_gate`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
