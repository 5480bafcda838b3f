import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Movements in place of postings: each is one debit and one credit of one amount, so no journal can be out of balance.
 * Postings are carried over in pairs, each account's postings of a journal summed first. It fails, and changes nothing,
 * when any balance would be another afterwards.
 */
export class KeepMovements1799000000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of [...assets, ...journals, ...movements, ...carryOver, ...balances, ...guards, ...rights]) {
      await queryRunner.query(statement);
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

const assets = [
  `create table billing.asset (
    code text not null,
    decimals smallint not null,
    kind text not null,
    constraint asset_pk primary key (code),
    constraint asset_decimals check (decimals between 0 and 36),
    constraint asset_kind check (kind in ('fiat', 'token', 'native'))
  )`,
  `insert into billing.asset values ('USD', 6, 'fiat'), ('USDC', 6, 'token'), ('EURC', 6, 'token'), ('ETH', 18, 'native')`,
  `alter table billing.ledger_account
    drop constraint ledger_account_known_asset,
    add constraint ledger_account_known_asset foreign key (asset) references billing.asset (code)`,
];

const journals = [
  'drop trigger journal_balance on billing.journal',
  'drop trigger posting_balance on billing.posting',
  'drop function billing.journal_balance()',
  'drop function billing.posting_balance()',
  'drop function billing.require_balance(uuid)',
  'alter table billing.journal disable trigger journal_append_only',
  'alter table billing.journal rename column recorded_at to booked_at',
  'alter table billing.journal rename column lines to movements',
  'alter table billing.journal add column effective_at timestamptz',
];

const movements = [
  `create table billing.movement (
    journal_id uuid not null,
    line integer not null,
    debit text not null,
    credit text not null,
    asset text not null,
    amount numeric(78,0) not null,
    constraint movement_pk primary key (journal_id, line),
    constraint movement_journal foreign key (journal_id) references billing.journal (id),
    constraint movement_debit foreign key (debit, asset) references billing.ledger_account (code, asset),
    constraint movement_credit foreign key (credit, asset) references billing.ledger_account (code, asset),
    constraint movement_amount check (amount > 0),
    constraint movement_sides check (debit <> credit)
  )`,
  `create view billing.ledger_line as
    select journal_id, line * 2 as line, debit as account, asset, amount from billing.movement
    union all
    select journal_id, line * 2 + 1, credit, asset, -amount from billing.movement`,
];

// Debits and credits of a journal are laid out one after the other, from zero: where a debit and a credit overlap is a
// movement.
const carryOver = [
  `insert into billing.movement (journal_id, line, debit, credit, asset, amount)
    with net as (
      select journal_id, asset, account, sum(amount) as amount, min(line) as line
      from billing.posting group by journal_id, asset, account having sum(amount) <> 0),
    laid as (
      select *, sum(abs(amount)) over (partition by journal_id, asset, sign(amount) order by line) as upto from net)
    select d.journal_id, row_number() over (partition by d.journal_id order by d.line, c.line) - 1,
      d.account, c.account, d.asset, least(d.upto, c.upto) - greatest(d.upto - d.amount, c.upto + c.amount)
    from laid d
    join laid c on c.journal_id = d.journal_id and c.asset = d.asset and c.amount < 0
      and least(d.upto, c.upto) > greatest(d.upto - d.amount, c.upto + c.amount)
    where d.amount > 0`,
  `do $$
  declare
    wrong text;
  begin
    select string_agg(account, ', ') into wrong from (
      select account, asset, sum(amount) from billing.posting group by account, asset having sum(amount) <> 0
      except
      select account, asset, sum(amount) from billing.ledger_line group by account, asset) as lost;
    if wrong is null then
      select string_agg(account, ', ') into wrong from (
        select account, asset, sum(amount) from billing.ledger_line group by account, asset having sum(amount) <> 0
        except
        select account, asset, sum(amount) from billing.posting group by account, asset) as gained;
    end if;
    if wrong is not null then
      raise exception 'the balances of these ledger accounts would change: %', wrong using errcode = 'KF003';
    end if;
  end $$`,
  `update billing.journal j set effective_at = occurred_at,
    movements = (select count(*) from billing.movement m where m.journal_id = j.id)`,
  'alter table billing.journal alter column effective_at set not null',
  'alter table billing.journal enable trigger journal_append_only',
  'drop table billing.posting',
  'create index movement_by_debit on billing.movement (debit)',
  'create index movement_by_credit on billing.movement (credit)',
  'create index journal_effective on billing.journal (effective_at)',
];

const balances = [
  `create table billing.balance (
    account text not null,
    asset text not null,
    debits numeric(78,0) not null,
    credits numeric(78,0) not null,
    constraint balance_pk primary key (account),
    constraint balance_account foreign key (account, asset) references billing.ledger_account (code, asset)
  )`,
  `create table billing.balance_day (
    account text not null,
    day date not null,
    debits numeric(78,0) not null,
    credits numeric(78,0) not null,
    constraint balance_day_pk primary key (account, day),
    constraint balance_day_account foreign key (account) references billing.ledger_account (code)
  )`,
  'create index balance_day_by_day on billing.balance_day (day)',
  `insert into billing.balance (account, asset, debits, credits)
    select account, asset, coalesce(sum(amount) filter (where amount > 0), 0),
      coalesce(-sum(amount) filter (where amount < 0), 0)
    from billing.ledger_line group by account, asset`,
  `insert into billing.balance_day (account, day, debits, credits)
    select l.account, (j.effective_at at time zone 'UTC')::date, coalesce(sum(l.amount) filter (where l.amount > 0), 0),
      coalesce(-sum(l.amount) filter (where l.amount < 0), 0)
    from billing.ledger_line l join billing.journal j on j.id = l.journal_id group by 1, 2`,
  // By the owner's right: the running program has none to change a balance. In order, so that two writers cannot wait
  // for one another.
  `create function billing.keep_balances() returns trigger language plpgsql security definer
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
    select account, (j.effective_at at time zone 'UTC')::date, sum(debit), sum(credit) from (
      select journal_id, debit as account, amount as debit, 0 as credit from added
      union all
      select journal_id, credit, 0, amount from added) as l
    join billing.journal j on j.id = l.journal_id
    group by 1, 2 order by 1, 2
    on conflict (account, day) do update set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits;
    return null;
  end $$`,
  `create trigger movement_balances after insert on billing.movement referencing new table as added
    for each statement execute function billing.keep_balances()`,
];

const guards = [
  // A journal says how many movements it has: that closes it with its own transaction.
  `create function billing.require_movements(journal uuid) returns void language plpgsql as $$
  begin
    if (select j.movements < 1 or j.movements <> (select count(*) from billing.movement m where m.journal_id = j.id)
        from billing.journal j where j.id = journal)
    then
      raise exception 'journal % has not the movements that it says', journal using errcode = 'KF003';
    end if;
  end $$`,
  ...[
    ['journal', 'id'],
    ['movement', 'journal_id'],
  ].flatMap(([table, column]) => [
    `create function billing.${table}_complete() returns trigger language plpgsql as $$
    begin
      perform billing.require_movements(new.${column});
      return null;
    end $$`,
    `create constraint trigger ${table}_complete after insert on billing.${table}
      deferrable initially deferred for each row execute function billing.${table}_complete()`,
  ]),
  `create table if not exists billing.accounting_month (
    month date not null,
    locked_at timestamptz,
    locked_by text,
    constraint accounting_month_pk primary key (month)
  )`,
  // Nobody locks or opens a month while a transaction that has called this goes on.
  `create function billing.hold_months() returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
  begin
    lock table billing.accounting_month in share mode;
  end $$`,
  `create function billing.effective_at(occurred_at timestamptz) returns timestamptz language sql stable as $$
    select greatest(occurred_at,
      ((select max(month) from billing.accounting_month where locked_at is not null) + interval '1 month')
        at time zone 'UTC')
  $$`,
  `create function billing.refuse_locked_month() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
  begin
    perform billing.hold_months();
    if exists (
      select from added a
      join billing.accounting_month m on m.month = date_trunc('month', a.effective_at at time zone 'UTC')::date
      where m.locked_at is not null)
    then
      raise exception 'a journal is dated into a locked month' using errcode = 'KF005';
    end if;
    return null;
  end $$`,
  `create trigger journal_month after insert on billing.journal referencing new table as added
    for each statement execute function billing.refuse_locked_month()`,
];

const rights = [
  ...['asset', 'movement'].map(
    (table) => `create trigger ${table}_append_only before update or delete or truncate on billing.${table}
      execute function billing.append_only()`,
  ),
  'grant select on billing.asset, billing.ledger_line, billing.balance, billing.balance_day to keyfare_billing',
  'grant select on billing.accounting_month to keyfare_billing',
  'grant select, insert on billing.movement to keyfare_billing',
];
