import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The copy of the log, the payments that it tells of, the keys that verify it, and how far it was read. */
export class CreateIntake1796000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.feed_cursor (
        feed text not null,
        tx bigint not null,
        position bigint not null,
        horizon bigint not null,
        complete_as_of timestamptz,
        awaited_tx bigint,
        awaited_since timestamptz,
        constraint feed_cursor_pk primary key (feed)
      )`);
    await queryRunner.query(`
      create table billing.receipt_key (
        kid text not null,
        jwk jsonb not null,
        first_seen_at timestamptz not null,
        constraint receipt_key_pk primary key (kid)
      )`);
    // A second entry under a known id is a bad one and must find room too: so the id is unique among good ones only.
    await queryRunner.query(`
      create table billing.entry (
        tx bigint not null,
        position bigint not null,
        id uuid not null,
        kind text not null,
        principal text not null,
        digest bytea not null,
        recorded_at timestamptz not null,
        jws text,
        usage_rail text,
        usage_account text,
        usage_payer text,
        usage_sku text,
        usage_units bigint,
        usage_period_start timestamptz,
        usage_occurred_at timestamptz,
        fault text,
        fault_detail text,
        ingested_at timestamptz not null,
        constraint entry_pk primary key (tx, position),
        constraint entry_fault check (
          fault in ('receipt-invalid', 'digest-mismatch', 'receipt-missing', 'usage-mismatch', 'terms-missing'))
      )`);
    await queryRunner.query('create unique index entry_id on billing.entry (id) where fault is null');
    await queryRunner.query('create index entry_faulty on billing.entry (tx, position) where fault is not null');
    await queryRunner.query(`
      create table billing.payment (
        entry_id uuid not null,
        outcome text not null,
        network text not null,
        asset text not null,
        payer text not null,
        nonce text not null,
        pay_to text not null,
        amount numeric(78,0) not null,
        transaction text,
        sku text not null,
        resource_url text not null,
        reason text,
        issued_at timestamptz not null,
        tx bigint not null,
        position bigint not null,
        constraint payment_pk primary key (entry_id),
        constraint payment_outcome check (outcome in ('settled', 'unpaid')),
        constraint payment_amount check (amount >= 0)
      )`);
    await queryRunner.query('create index payment_key on billing.payment (network, asset, payer, nonce)');
    await queryRunner.query('create index payment_order on billing.payment (tx, position)');
    for (const table of ['entry', 'payment', 'receipt_key']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to keyfare_billing`);
    }
    await queryRunner.query('grant select, insert, update on billing.feed_cursor to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
