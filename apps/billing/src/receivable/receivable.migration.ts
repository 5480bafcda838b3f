import type { MigrationInterface, QueryRunner } from 'typeorm';
import { billingRole } from '../schema.js';

/** Bank accounts, and the payments that their statements list. */
export class CreateBankPayments1799000000800 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.bank_account (
        id uuid not null,
        name text not null,
        iban text,
        currency text not null,
        mapping jsonb not null,
        created_at timestamptz not null,
        constraint bank_account_pk primary key (id),
        constraint bank_account_currency check (currency = 'USD')
      )`);
    await queryRunner.query(`
      create unique index bank_account_iban on billing.bank_account (iban) where iban is not null`);
    await queryRunner.query(`
      create table billing.bank_payment (
        id uuid not null,
        bank_account_id uuid not null,
        booked_on date not null,
        amount numeric(78,0) not null,
        currency text not null,
        payer text not null,
        reference text not null,
        digest bytea not null,
        nth integer not null,
        imported_by text not null,
        imported_at timestamptz not null,
        constraint bank_payment_pk primary key (id),
        constraint bank_payment_account foreign key (bank_account_id) references billing.bank_account (id),
        constraint bank_payment_line unique (bank_account_id, digest, nth)
      )`);
    await queryRunner.query('create index bank_payment_by_day on billing.bank_payment (booked_on, id)');
    await queryRunner.query(`
      create trigger bank_payment_append_only before update or delete or truncate on billing.bank_payment
      execute function billing.append_only()`);
    await queryRunner.query(`grant select, insert, update on billing.bank_account to ${billingRole}`);
    await queryRunner.query(`grant select, insert on billing.bank_payment to ${billingRole}`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
