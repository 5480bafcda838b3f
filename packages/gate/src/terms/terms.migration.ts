import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Plans (immutable versions of terms) and accounts (who has which). */
export class CreatePlan1795000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table keyfare.plan (
        id text not null,
        slug text not null,
        version integer not null,
        included_units bigint not null,
        overage text not null,
        overage_price numeric(78,0) not null,
        monthly_price numeric(78,0) not null,
        created_at timestamptz not null,
        constraint plan_pk primary key (id),
        constraint plan_slug_version unique (slug, version),
        constraint plan_overage check (overage in ('reject', 'invoice', 'x402')),
        constraint plan_amounts check (included_units >= 0 and overage_price >= 0 and monthly_price >= 0)
      )`);
    await queryRunner.query(`
      create trigger plan_append_only before update or delete or truncate on keyfare.plan
      execute function keyfare.append_only()`);
    await queryRunner.query(`
      create table keyfare.account (
        id text not null,
        name text not null,
        plan_id text not null,
        status text not null default 'active',
        created_at timestamptz not null,
        constraint account_pk primary key (id),
        constraint account_plan foreign key (plan_id) references keyfare.plan (id) on delete restrict,
        constraint account_status check (status in ('active', 'suspended'))
      )`);
    await queryRunner.query(`
      create function keyfare.account_changed() returns trigger language plpgsql as $$
      begin
        perform pg_notify('keyfare_account', new.id);
        return null;
      end $$`);
    await queryRunner.query(`
      create trigger account_changed after update on keyfare.account
      for each row execute function keyfare.account_changed()`);
    await queryRunner.query('grant select, insert on keyfare.plan to keyfare_gate');
    await queryRunner.query('grant select, insert, update on keyfare.account to keyfare_gate');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
