import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The log: one line for every signed document, in the transaction that stores it. Nothing changes or removes a line.
 */
export class CreateLog1795000000600 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create function keyfare.current_tx() returns bigint language sql volatile
      return pg_current_xact_id()::text::bigint`);
    await queryRunner.query(`
      create table keyfare.entry (
        position bigint generated always as identity,
        tx bigint not null default keyfare.current_tx(),
        id uuid not null,
        kind text not null,
        principal text not null,
        digest bytea not null,
        recorded_at timestamptz not null default now(),
        constraint entry_pk primary key (id),
        constraint entry_kind check (kind in ('call', 'terms', 'unpaid')),
        constraint entry_digest check (octet_length(digest) = 32)
      )`);
    await queryRunner.query('create index entry_order on keyfare.entry (tx, position)');
    await queryRunner.query(`
      create trigger entry_append_only before update or delete or truncate on keyfare.entry
      execute function keyfare.append_only()`);
    // Position, transaction and time are the database's to say: a line cannot be dated or placed by who writes it.
    await queryRunner.query('grant select, insert (id, kind, principal, digest) on keyfare.entry to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

/**
 * What billing may read. Positions are handed out before their transactions commit, so a reader that remembers only a
 * position can miss a line that commits late. The feed therefore shows a line only when every transaction as old as
 * its own has ended: paging by (tx, position) misses nothing.
 */
export class CreateFeeds1795000000700 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create view keyfare.entry_feed as
      select e.tx, e.position, e.id, e.kind, e.principal, e.digest, e.recorded_at, r.jws,
        u.rail as usage_rail, u.account_id as usage_account, u.payer as usage_payer, u.sku as usage_sku,
        u.units as usage_units, u.period_start as usage_period_start, u.occurred_at as usage_occurred_at
      from keyfare.entry e
      left join keyfare.receipt r on r.id = e.id
      left join keyfare.usage u on u.id = e.id
      where e.tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint`);
    await queryRunner.query(`
      create view keyfare.meter_feed as
      select account_id, period_start, limit_units, used, leased from keyfare.allowance`);
    await queryRunner.query('grant select on keyfare.entry_feed, keyfare.meter_feed to keyfare_billing_reader');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
