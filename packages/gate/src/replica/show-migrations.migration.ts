import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A gate that does not migrate by itself may see whether others did. */
export class ShowMigrations1797000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('grant select on keyfare.migration to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
