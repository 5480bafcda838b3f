import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Double entry. What is written stays; what was wrong is reversed. */
export class CreateLedger1796000000300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.ledger_account (
        code text not null,
        asset text not null,
        type text not null,
        constraint ledger_account_pk primary key (code),
        constraint ledger_account_asset unique (code, asset),
        constraint ledger_account_type check (type in ('asset', 'liability', 'equity', 'income')),
        constraint ledger_account_known_asset check (asset in ('USD', 'USDC'))
      )`);
    await queryRunner.query(`
      create table billing.journal (
        id uuid not null,
        kind text not null,
        source text not null,
        occurred_at timestamptz not null,
        recorded_at timestamptz not null default now(),
        reverses uuid,
        lines integer not null,
        digest bytea not null,
        constraint journal_pk primary key (id),
        constraint journal_reverses unique (reverses),
        constraint journal_reversed foreign key (reverses) references billing.journal (id)
      )`);
    await queryRunner.query('create index journal_source on billing.journal (source)');
    await queryRunner.query(`
      create table billing.posting (
        journal_id uuid not null,
        line integer not null,
        account text not null,
        asset text not null,
        amount numeric(78,0) not null,
        constraint posting_pk primary key (journal_id, line),
        constraint posting_journal foreign key (journal_id) references billing.journal (id),
        constraint posting_account foreign key (account, asset) references billing.ledger_account (code, asset),
        constraint posting_amount check (amount <> 0)
      )`);
    await queryRunner.query('create index posting_by_account on billing.posting (account)');
    await this.#guard(queryRunner);
  }

  /**
   * The writer checks that a journal balances; this is for whoever writes past it. It runs at the commit. A journal
   * says how many lines it has: that closes it with its own transaction, for a line that came later, even a pair of
   * them that balances, would be one too many.
   */
  async #guard(queryRunner: QueryRunner): Promise<void> {
    // By an aggregate, not by EXISTS: of a table that was never analyzed PostgreSQL believes that a scan finds any row
    // soon.
    await queryRunner.query(`
      create function billing.require_balance(journal uuid) returns void language plpgsql as $$
      begin
        if (
          select coalesce(sum(lines), 0) = 0 or bool_or(total <> 0)
            or sum(lines) <> (select j.lines from billing.journal j where j.id = journal)
          from (
            select sum(amount) as total, count(*) as lines from billing.posting
            where journal_id = journal group by asset) as sums)
        then
          raise exception 'journal % does not balance, or has not the lines that it says', journal
            using errcode = 'KF003';
        end if;
      end $$`);
    for (const [table, column] of [
      ['journal', 'id'],
      ['posting', 'journal_id'],
    ]) {
      await queryRunner.query(`
        create function billing.${table}_balance() returns trigger language plpgsql as $$
        begin
          perform billing.require_balance(new.${column});
          return null;
        end $$`);
      await queryRunner.query(`
        create constraint trigger ${table}_balance after insert on billing.${table}
        deferrable initially deferred for each row execute function billing.${table}_balance()`);
    }
    for (const table of ['ledger_account', 'journal', 'posting']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to keyfare_billing`);
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
