import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * PostgreSQL writes an entry in every index for a new version of a row, unless the step changed nothing that any index
 * speaks of, in its condition neither, and the page has room ("HOT"). `state` and `call` were in conditions, so no step
 * was such a one. Now conditions speak of columns that change once, at the end of a payment, and of those before their
 * call.
 *
 * They are computed, and so true of what processes of the release before write as well. Their sweeps have no index of
 * theirs any more and read the whole table while they still run. Adding the columns writes the table anew under a lock:
 * with millions of payments, stop the gate for it.
 */
export class HotPaymentSteps1796000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // Before the columns: the table is written with this room in its pages.
    await queryRunner.query('alter table keyfare.payment set (fillfactor = 50)');
    await queryRunner.query('drop index keyfare.payment_open, keyfare.payment_unserved');
    await queryRunner.query(`
      alter table keyfare.payment
        add column closed boolean not null generated always as (state in ('final', 'failed', 'expired')) stored,
        add column unserved boolean not null
          generated always as (flow = 'upfront' and call is null and refund_due_at is null) stored`);
    // TypeORM compares what it noted itself of such columns: here, what PostgreSQL says of them.
    await queryRunner.query(`
      insert into keyfare.typeorm_metadata (type, database, schema, "table", name, value)
      select 'GENERATED_COLUMN', current_database(), 'keyfare', 'payment', a.attname, pg_get_expr(d.adbin, d.adrelid)
      from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = 'keyfare.payment'::regclass and a.attgenerated = 's'`);
    await queryRunner.query('create index payment_open on keyfare.payment (replica_id) where not closed');
    await queryRunner.query('create index payment_unserved on keyfare.payment (replica_id) where unserved');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
