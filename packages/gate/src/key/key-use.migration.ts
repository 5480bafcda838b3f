import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Operators see when a key was last used. */
export class KnowKeyUse1799000000985 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.key_use (
        key_id text not null,
        last_used_at timestamptz not null,
        constraint key_use_pk primary key (key_id),
        constraint key_use_key foreign key (key_id) references keyfare.api_key on delete restrict
      )`);
    await queryRunner.query('grant select, insert, update on keyfare.key_use to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
