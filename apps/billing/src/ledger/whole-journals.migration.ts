import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A journal and its movements are written by one statement, which looks at all of them together: whether they are all
 * there, of the journal's date, between accounts of their asset. What looked at each row by itself took the database
 * half the time of a journal. Nothing that a movement names can be deleted, so there is nothing else for a foreign key
 * to see.
 */
export class WriteWholeJournals1799000001010 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of statements) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}

// A session keeps the plan of its first call, which may be of empty tables: it must not be one that reads them whole.
const byIndex = 'set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off';

const statements = [
  // As writers take them, and whole: a billing of the release before may be posting.
  'lock table billing.ledger_account, billing.journal, billing.movement in access exclusive mode',
  'drop trigger journal_complete on billing.journal',
  `create or replace function billing.journal_complete() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp ${byIndex} as $$
  declare
    journal uuid;
  begin
    select a.id into journal from added a
    where a.movements < 1 or not exists (select from billing.movement m where m.journal_id = a.id)
    limit 1;
    if journal is not null then
      raise exception 'journal % has not the movements that it says', journal using errcode = 'KF003';
    end if;
    return null;
  end $$`,
  `create trigger journal_complete after insert on billing.journal referencing new table as added
    for each statement execute function billing.journal_complete()`,
  'drop trigger movement_further on billing.movement',
  'drop function billing.refuse_further_movements()',
  // The primary key keeps lines apart: so many from 0 to the last are all of them, and none can follow.
  `create function billing.check_movements() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp ${byIndex} as $$
  declare
    account text;
    journal uuid;
    is_known boolean;
  begin
    select a.code || ' in ' || a.asset into account
    from (select debit as code, asset from added union select credit, asset from added) as a
    where not exists (select from billing.ledger_account l where l.code = a.code and l.asset = a.asset)
    limit 1;
    if account is not null then
      raise exception 'there is no account %', account using errcode = '23503';
    end if;
    select a.journal_id, j.id is not null into journal, is_known
    from (
      select journal_id, effective_at, count(*) as movements, min(line) as first, max(line) as last
      from added group by 1, 2) as a
    left join billing.journal j on j.id = a.journal_id and j.effective_at = a.effective_at
    where j.id is null or a.movements <> j.movements or a.first <> 0 or a.last <> j.movements - 1
    limit 1;
    if journal is not null and is_known then
      raise exception 'journal % has not the movements that it says', journal using errcode = 'KF003';
    elsif journal is not null then
      raise exception 'there is no journal % of the date of its movement', journal using errcode = '23503';
    end if;
    return null;
  end $$`,
  `create trigger movement_checked after insert on billing.movement referencing new table as added
    for each statement execute function billing.check_movements()`,
  `alter table billing.movement drop constraint movement_debit, drop constraint movement_credit,
    drop constraint movement_journal`,
];
