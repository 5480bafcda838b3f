import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Refused entries that were found good later: the old fault is kept, and the entry's own goes. */
export class ReadmitEntries1799000000910 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.readmission (
        place bigint not null,
        nth bigint generated always as identity,
        entry_id uuid not null,
        after_place bigint not null,
        at timestamptz not null,
        by text not null,
        reason text not null,
        fault text not null,
        fault_detail text,
        after_invoice uuid,
        constraint readmission_pk primary key (place),
        constraint readmission_entry foreign key (place) references billing.entry (place)
      )`);
    await queryRunner.query(`
      create trigger readmission_append_only before update or delete or truncate on billing.readmission
      execute function billing.append_only()`);
    await queryRunner.query(`
      create function billing.readmit_only() returns trigger language plpgsql as $$
      begin
        if new.fault is null and new.fault_detail is null and exists (
          select from billing.readmission r where r.place = old.place and r.fault = old.fault) then
          old.fault := null;
          old.fault_detail := null;
          if new is not distinct from old then
            return new;
          end if;
        end if;
        raise exception 'billing.entry is append-only' using errcode = 'KF002';
      end $$`);
    await queryRunner.query('drop trigger entry_append_only on billing.entry');
    await queryRunner.query(`
      create trigger entry_append_only before delete or truncate or update of place, id, kind, principal, digest,
        recorded_at, jws, usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start,
        usage_occurred_at, ingested_at on billing.entry
      execute function billing.append_only()`);
    await queryRunner.query(`
      create trigger entry_readmit_only before update on billing.entry
      for each row execute function billing.readmit_only()`);
    await queryRunner.query('grant select, insert on billing.readmission to keyfare_billing');
    await queryRunner.query('grant update (fault, fault_detail) on billing.entry to keyfare_billing');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
