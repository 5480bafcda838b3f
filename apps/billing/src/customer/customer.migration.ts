import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Who sells, who is invoiced, for which accounts, and which rates of tax there are. */
export class CreateCustomer1799000000500 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.seller (
        id uuid not null,
        legal_name text not null,
        address text not null,
        tax_id text,
        pay_to text not null,
        series text not null,
        created_at timestamptz not null,
        constraint seller_pk primary key (id),
        constraint seller_series unique (series)
      )`);
    await queryRunner.query(`
      create table billing.customer (
        id uuid not null,
        legal_name text not null,
        address text not null,
        tax_id text,
        contacts jsonb not null,
        language text not null,
        reporting_currency text not null,
        payment_days integer not null,
        created_at timestamptz not null,
        constraint customer_pk primary key (id),
        constraint customer_payment_days check (payment_days between 0 and 365)
      )`);
    await queryRunner.query(`
      create table billing.contract (
        id uuid not null,
        customer_id uuid not null,
        seller_id uuid not null,
        account text not null,
        starts_at timestamptz not null,
        ends_at timestamptz,
        created_at timestamptz not null,
        constraint contract_pk primary key (id),
        constraint contract_customer foreign key (customer_id) references billing.customer (id),
        constraint contract_seller foreign key (seller_id) references billing.seller (id),
        constraint contract_time check (starts_at < ends_at)
      )`);
    await queryRunner.query('create index contract_by_account on billing.contract (account, starts_at)');
    await queryRunner.query(`
      create table billing.tax_rate (
        id uuid not null,
        code text not null,
        valid_from timestamptz not null,
        basis_points integer not null,
        reverse_charge boolean not null,
        reason text,
        created_at timestamptz not null,
        constraint tax_rate_pk primary key (id),
        constraint tax_rate_code unique (code, valid_from),
        constraint tax_rate_points check (basis_points between 0 and 10000),
        constraint tax_rate_reverse check (not reverse_charge or (basis_points = 0 and reason is not null))
      )`);
    await queryRunner.query(`grant select, insert, update on billing.seller, billing.customer to ${billingRole}`);
    await queryRunner.query(`grant select, insert, update on billing.contract to ${billingRole}`);
    // A rate that was used stays what it was: the next one has its own day.
    await queryRunner.query(`grant select, insert on billing.tax_rate to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
