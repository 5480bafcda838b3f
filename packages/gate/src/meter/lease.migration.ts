import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Leases count up, and `allowance.used` grows when they are folded, not with each post. Every lease of a process of the
 * release before returns here: that process can post nothing any more, for the tables it posted into are gone.
 */
export class FoldLeases1796000000210 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      update keyfare.allowance set leased = 0,
        over_units = case when limit_units is null then 0 else greatest(0, used - limit_units) end
      where leased > 0`);
    await queryRunner.query('delete from keyfare.lease');
    await queryRunner.query(`
      alter table keyfare.lease
        drop constraint lease_outstanding,
        drop column outstanding,
        add column granted bigint not null,
        add column used bigint not null,
        add column post bigint not null,
        add column turn bigint not null,
        add column open boolean not null,
        add column since timestamptz not null,
        add constraint lease_counts check (used >= 0 and granted >= used),
        add constraint lease_closed check (open or granted = used)`);
    await queryRunner.query('drop view if exists keyfare.meter_feed');
    await queryRunner.query(`
      create view keyfare.meter_feed as
      select a.account_id, a.period_start, a.limit_units, a.used, a.leased,
        (select count(*)::integer from keyfare.lease l
          where l.account_id = a.account_id and l.period_start = a.period_start and l.open) as open_leases
      from keyfare.allowance a`);
    await queryRunner.query('create index lease_account on keyfare.lease (account_id, period_start)');
    await queryRunner.query('grant select on keyfare.meter_feed to keyfare_billing_reader');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
