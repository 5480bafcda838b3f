import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Movements have the date of their journal, so that the lines of one ledger account are found in order; and the days of
 * each wallet are summed by the kind of journal. It fails, and changes nothing, when a wallet would have another
 * balance by its days than it has.
 */
export class DateMovements1799000000920 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of [...dates, ...walletDays, ...balances, ...guards]) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

const dates = [
  'alter table billing.movement disable trigger movement_append_only',
  // Before the table is rewritten: it takes a fraction of the time.
  'drop index billing.movement_by_debit',
  'drop index billing.movement_by_credit',
  'alter table billing.movement drop constraint movement_journal, add column effective_at timestamptz',
  `update billing.movement m set effective_at = j.effective_at from billing.journal j where j.id = m.journal_id`,
  'alter table billing.movement alter column effective_at set not null',
  'alter table billing.movement enable trigger movement_append_only',
  'drop index billing.journal_effective',
  'alter table billing.journal add constraint journal_effective unique (effective_at, id)',
  // A movement has the date of its journal, or the database refuses it.
  `alter table billing.movement
    add constraint movement_journal foreign key (journal_id, effective_at) references billing.journal (id, effective_at)`,
  'create index movement_by_debit on billing.movement (debit, effective_at, journal_id)',
  'create index movement_by_credit on billing.movement (credit, effective_at, journal_id)',
  `create or replace view billing.ledger_line as
    select journal_id, line * 2 as line, debit as account, asset, amount, effective_at from billing.movement
    union all
    select journal_id, line * 2 + 1, credit, asset, -amount, effective_at from billing.movement`,
  // What undoes or explains another journal is looked for by itself.
  `create index journal_reversals on billing.journal (effective_at) where reverses is not null`,
  `create index journal_identifications on billing.journal (effective_at) where kind = 'identification'`,
];

const walletDays = [
  `create table billing.wallet_day (
    account text not null,
    kind text not null,
    day date not null,
    lines bigint not null,
    amount numeric(78,0) not null,
    constraint wallet_day_pk primary key (account, day, kind),
    constraint wallet_day_account foreign key (account) references billing.ledger_account (code)
  )`,
  `insert into billing.wallet_day (account, kind, day, lines, amount)
    select l.account, j.kind, (l.effective_at at time zone 'UTC')::date, count(*), sum(l.amount)
    from billing.ledger_line l join billing.journal j on j.id = l.journal_id
    where l.account like lower(l.asset) || ':%' group by 1, 2, 3`,
  `do $$
  declare
    wrong text;
  begin
    select string_agg(account, ', ') into wrong from (
      select account, sum(amount) as amount from billing.wallet_day group by account
      except
      select account, debits - credits from billing.balance) as lost;
    if wrong is not null then
      raise exception 'the days of these wallets do not come to their balances: %', wrong using errcode = 'KF003';
    end if;
  end $$`,
  'grant select on billing.wallet_day to keyfare_billing',
];

const balances = [
  `create or replace function billing.keep_balances() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
  begin
    insert into billing.balance as b (account, asset, debits, credits)
    select account, asset, sum(debit), sum(credit) from (
      select debit as account, asset, amount as debit, 0 as credit from added
      union all
      select credit, asset, 0, amount from added) as l
    group by account, asset order by account
    on conflict (account) do update set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits;
    insert into billing.balance_day as b (account, day, debits, credits)
    select account, (effective_at at time zone 'UTC')::date, sum(debit), sum(credit) from (
      select effective_at, debit as account, amount as debit, 0 as credit from added
      union all
      select effective_at, credit, 0, amount from added) as l
    group by 1, 2 order by 1, 2
    on conflict (account, day) do update set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits;
    insert into billing.wallet_day as b (account, kind, day, lines, amount)
    select account, j.kind, (l.effective_at at time zone 'UTC')::date, count(*), sum(amount) from (
      select journal_id, effective_at, debit as account, amount from added where debit like lower(asset) || ':%'
      union all
      select journal_id, effective_at, credit, -amount from added where credit like lower(asset) || ':%') as l
    join billing.journal j on j.id = l.journal_id
    group by 1, 2, 3 order by 1, 3, 2
    on conflict (account, day, kind) do update set lines = b.lines + excluded.lines, amount = b.amount + excluded.amount;
    return null;
  end $$`,
];

// A journal is looked at once, at the commit; a movement more than it says is refused by the statement that adds it.
const guards = [
  'drop trigger movement_complete on billing.movement',
  'drop function billing.movement_complete()',
  `create or replace function billing.journal_complete() returns trigger language plpgsql as $$
  begin
    if new.movements < 1 or new.movements <> (select count(*) from billing.movement m where m.journal_id = new.id) then
      raise exception 'journal % has not the movements that it says', new.id using errcode = 'KF003';
    end if;
    return null;
  end $$`,
  'drop function billing.require_movements(uuid)',
  `create function billing.refuse_further_movements() returns trigger language plpgsql as $$
  declare
    journal uuid;
  begin
    select j.id into journal
    from (select distinct journal_id from added) as a join billing.journal j on j.id = a.journal_id
    where j.movements < (select count(*) from billing.movement m where m.journal_id = j.id)
    limit 1;
    if journal is not null then
      raise exception 'journal % has not the movements that it says', journal using errcode = 'KF003';
    end if;
    return null;
  end $$`,
  `create trigger movement_further after insert on billing.movement referencing new table as added
    for each statement execute function billing.refuse_further_movements()`,
];
