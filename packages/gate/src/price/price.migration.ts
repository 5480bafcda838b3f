import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Every price that was ever on offer, under an id that its content gives it; nothing of it is changed or deleted. */
export class RecordPrices1798000000390 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.price (
        id text not null,
        sku text not null,
        terms text not null,
        first_seen_at timestamptz not null default now(),
        constraint price_pk primary key (id),
        constraint price_id check (id ~ '^price_[0-9a-f]{32}$')
      )`);
    await queryRunner.query('create index price_sku on keyfare.price (sku, first_seen_at)');
    await queryRunner.query('grant select, insert on keyfare.price to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
