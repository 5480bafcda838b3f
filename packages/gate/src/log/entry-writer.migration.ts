import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who wrote an entry, in which group of posts, and what it counts: a sweep folds by it what a dead process posted. */
export class WriteEntries1796000000190 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table keyfare.entry
        add column rail text,
        add column units bigint,
        add column period_start timestamptz,
        add column writer uuid,
        add column post bigint`);
    await queryRunner.query('grant insert (rail, units, period_start, writer, post) on keyfare.entry to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
