import type { MigrationInterface, QueryRunner } from 'typeorm';
import { codeSql } from '../token.js';

/** Matches, and which payments are open. What is in the books is matched as the jobs would have matched it. */
export class CreateMatch1799000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await this.#matches(queryRunner);
    await queryRunner.query(`
      create table billing.open_payment (
        network text not null,
        asset text not null,
        payer text not null,
        nonce text not null,
        constraint open_payment_pk primary key (network, asset, payer, nonce)
      )`);
    await this.#fill(queryRunner);
    await this.#index(queryRunner);
    await queryRunner.query(`
      grant select, insert, update (state, final_at, undone_at, why) on billing.match to keyfare_billing`);
    await queryRunner.query('grant select, insert, delete on billing.open_payment to keyfare_billing');
  }

  async #matches(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.match (
        id uuid not null,
        entry_id uuid,
        invoice_id uuid,
        transfer_id uuid,
        bank_payment_id uuid,
        asset text not null,
        amount numeric(78,0) not null,
        state text not null,
        rule text not null,
        matched_by text,
        matched_at timestamptz not null,
        final_at timestamptz,
        undone_at timestamptz,
        why text,
        constraint match_pk primary key (id),
        constraint match_state check (state in ('provisional', 'final', 'undone')),
        constraint match_amount check (amount > 0),
        constraint match_owed check (num_nonnulls(entry_id, invoice_id) = 1),
        constraint match_paid check (num_nonnulls(transfer_id, bank_payment_id) = 1),
        constraint match_times check (
          (final_at is not null or state <> 'final') and (undone_at is not null) = (state = 'undone')
          and (why is not null) = (state = 'undone'))
      )`);
    // What was matched, and how much of it, is a fact for ever; how sure it is, and that it is over, is learned later.
    await queryRunner.query(`
      create function billing.keep_match() returns trigger language plpgsql as $$
      begin
        if tg_op = 'UPDATE' and old.state <> 'undone'
          and to_jsonb(new) - '{state,final_at,undone_at,why}'::text[]
            = to_jsonb(old) - '{state,final_at,undone_at,why}'::text[] then
          return new;
        end if;
        raise exception 'billing.match is append-only' using errcode = 'KF002';
      end $$`);
    await queryRunner.query(`
      create trigger match_kept before update or delete on billing.match
      for each row execute function billing.keep_match()`);
    await queryRunner.query(`
      create trigger match_append_only before truncate on billing.match execute function billing.append_only()`);
  }

  async #fill(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.match_side as
      with recorded as (
        select distinct on (b.network, b.asset, b.payer, b.nonce) b.network, b.asset, b.payer, b.nonce, b.entry_id,
          b.amount, count(*) over (partition by b.network, b.asset, b.payer, b.nonce) as entries,
          case b.outcome
            when 'settled' then coalesce(l.outcome, '') not in ('reversed', 'unpaid')
            when 'deferred' then coalesce(l.outcome, '') = 'settlement'
            else coalesce(l.outcome, '') <> 'reversed' end as moved,
          b.outcome = 'refund-due' and coalesce(l.outcome, '') = 'reversed' as void
        from billing.payment b
        left join lateral (
          select l.outcome from billing.payment l where l.call_id = b.entry_id order by l.place desc limit 1) as l on true
        where b.outcome in ('settled', 'deferred', 'refund-due')
        order by b.network, b.asset, b.payer, b.nonce, b.place),
      settled as (
        select distinct on (t.network, t.asset, t.authorizer, t.nonce) t.network, t.asset, t.authorizer as payer,
          t.nonce, t.id as transfer_id, t.value,
          count(*) over (partition by t.network, t.asset, t.authorizer, t.nonce) as transfers,
          t.block_number <= c.finalized_number as final
        from billing.chain_transfer t left join billing.chain_cursor c on c.watch = t.watch
        where t.orphaned_at is null and t.authorizer is not null and t.to_address = t.pay_to
        order by t.network, t.asset, t.authorizer, t.nonce, t.block_number, t.log_index, t.id)
      select * from recorded full join settled using (network, asset, payer, nonce)`);
    // The id is that of the first match of the two: a UUIDv8 of SHA-256, as `deriveId` makes it.
    await queryRunner.query(`
      insert into billing.match (id, entry_id, transfer_id, asset, amount, state, rule, matched_at, final_at)
      select encode(set_byte(set_byte(h, 6, (get_byte(h, 6) & 15) | 128), 8, (get_byte(h, 8) & 63) | 128), 'hex')::uuid,
        entry_id, transfer_id, ${codeSql('asset')}, least(amount, value),
        case when coalesce(final, false) then 'final' else 'provisional' end, 'authorization', now(),
        case when final then now() end
      from billing.match_side cross join lateral (
        select substring(sha256(convert_to('match:' || entry_id || '/' || transfer_id || '/0', 'UTF8')) for 16) as h) as h
      where moved and transfer_id is not null and least(amount, value) > 0`);
    await queryRunner.query(`
      insert into billing.open_payment (network, asset, payer, nonce)
      select network, asset, payer, nonce from billing.match_side
      where entries > 1 or transfers > 1
        or not coalesce(moved and amount = value, false) and not coalesce(void and transfer_id is null, false)`);
    await queryRunner.query('drop table billing.match_side');
  }

  /** After the rows are in, which is faster. */
  async #index(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create unique index match_pair on billing.match (entry_id, transfer_id)
      where state <> 'undone' and entry_id is not null`);
    await queryRunner.query('create index match_entry on billing.match (entry_id) where entry_id is not null');
    await queryRunner.query('create index match_transfer on billing.match (transfer_id) where transfer_id is not null');
    await queryRunner.query('create index match_invoice on billing.match (invoice_id) where invoice_id is not null');
    await queryRunner.query(`
      create index match_bank_payment on billing.match (bank_payment_id) where bank_payment_id is not null`);
    await queryRunner.query(`
      create index match_provisional on billing.match (transfer_id) where state = 'provisional'`);
    // What came by no authorization, what is owed back, and the payments and transfers of a month.
    await queryRunner.query(`
      create index chain_transfer_unknown on billing.chain_transfer (watch, transaction)
      where authorizer is null and orphaned_at is null and to_address = pay_to`);
    await queryRunner.query(
      `create index payment_owed_back on billing.payment (entry_id) where outcome = 'refund-due'`,
    );
    await queryRunner.query('create index payment_issued on billing.payment (issued_at)');
    await queryRunner.query(`
      create index chain_transfer_time on billing.chain_transfer (block_time) where authorizer is not null`);
    await queryRunner.query('analyze billing.match, billing.open_payment');
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
