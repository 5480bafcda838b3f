import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Prices of a contract's own, by product, and what it comes to at least in a month; each with the time it begins. */
export class PriceContracts1799000000964 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.contract_price (
        id uuid not null,
        contract_id uuid not null,
        sku text not null,
        unit_price numeric(78,0),
        valid_from timestamptz not null,
        made_by text not null,
        made_at timestamptz not null,
        constraint contract_price_pk primary key (id),
        constraint contract_price_contract foreign key (contract_id) references billing.contract (id),
        constraint contract_price_from unique (contract_id, sku, valid_from),
        constraint contract_price_price check (unit_price >= 0)
      )`);
    await queryRunner.query(`
      create table billing.contract_commit (
        id uuid not null,
        contract_id uuid not null,
        amount numeric(78,0) not null,
        valid_from timestamptz not null,
        made_by text not null,
        made_at timestamptz not null,
        constraint contract_commit_pk primary key (id),
        constraint contract_commit_contract foreign key (contract_id) references billing.contract (id),
        constraint contract_commit_from unique (contract_id, valid_from),
        constraint contract_commit_amount check (amount >= 0)
      )`);
    for (const table of ['contract_price', 'contract_commit']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to ${billingRole}`);
    }
    await queryRunner.query(`
      alter table billing.invoice_line drop constraint invoice_line_kind,
        add constraint invoice_line_kind check (kind in ('included', 'overage', 'plan', 'commit', 'adjustment'))`);
    // What a commit comes to beyond what was used is no plan's.
    await queryRunner.query('alter table billing.invoice_release alter column slug drop not null');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
