import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The work on a break: when it is due, what was said of it, what became of it, and what its resolutions post. */
export class WorkOnBreaks1799000000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table billing.break add column if not exists happened_at timestamptz, add column due_on date`);
    await queryRunner.query(`
      create table billing.break_comment (
        id bigint generated always as identity,
        break_id text not null,
        at timestamptz not null,
        operator_id text not null,
        operator_name text not null,
        text text not null,
        constraint break_comment_pk primary key (id),
        constraint break_comment_break foreign key (break_id) references billing.break (id)
      )`);
    await queryRunner.query('create index break_comment_of on billing.break_comment (break_id, id)');
    await queryRunner.query(`
      create table billing.break_resolution (
        id uuid not null,
        break_id text not null,
        nth integer not null,
        kind text not null,
        text text not null,
        asset text,
        amount numeric(78,0),
        debit text,
        credit text,
        state text not null,
        needs_second boolean not null,
        proposed_by text not null,
        proposed_name text not null,
        proposed_at timestamptz not null,
        decided_by text,
        decided_name text,
        decided_at timestamptz,
        undone_at timestamptz,
        constraint break_resolution_pk primary key (id),
        constraint break_resolution_nth unique (break_id, nth),
        constraint break_resolution_break foreign key (break_id) references billing.break (id),
        constraint break_resolution_state check (case state
          when 'proposed' then decided_at is null and undone_at is null and needs_second
          when 'posted' then decided_at is not null and undone_at is null
          when 'rejected' then decided_at is not null and undone_at is null
          when 'undone' then decided_at is not null and undone_at is not null else false end),
        constraint break_resolution_posting check (
          case when kind = 'no-posting' then num_nonnulls(asset, amount, debit, credit) = 0
          else num_nonnulls(asset, amount, debit, credit) = 4 and amount > 0 and debit <> credit end),
        constraint break_resolution_second check (
          not needs_second or state in ('proposed', 'rejected') or decided_by <> proposed_by)
      )`);
    await queryRunner.query(`
      create unique index break_resolution_live on billing.break_resolution (break_id)
      where state in ('proposed', 'posted')`);
    await this.#keepHistory(queryRunner);
    for (const table of ['break_comment', 'break_event']) {
      await queryRunner.query(`
        create trigger ${table}_append_only before update or delete or truncate on billing.${table}
        execute function billing.append_only()`);
      await queryRunner.query(`grant select, insert on billing.${table} to keyfare_billing`);
    }
    await queryRunner.query('grant select, insert, update on billing.break_resolution to keyfare_billing');
  }

  /**
   * A break changes by operators, who write what they did in the same transaction and say so by a setting of it, and by
   * runs of the reconciliation, whose changes the trigger writes.
   */
  async #keepHistory(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create table billing.break_event (
        id bigint generated always as identity,
        break_id text not null,
        at timestamptz not null,
        what text not null,
        operator_id text,
        operator_name text,
        asset text,
        amount numeric(78,0),
        side text not null,
        detail text not null,
        text text,
        constraint break_event_pk primary key (id),
        constraint break_event_break foreign key (break_id) references billing.break (id),
        constraint break_event_what check (what in ('resolved', 'reopened', 'proposed', 'rejected', 'undone')),
        constraint break_event_operator check (num_nonnulls(operator_id, operator_name) <> 1)
      )`);
    await queryRunner.query('create index break_event_of on billing.break_event (break_id, id)');
    await queryRunner.query(`
      create function billing.keep_break_history() returns trigger language plpgsql as $$
      begin
        if new.status is distinct from old.status
          and coalesce(current_setting('billing.operator_writes', true), '') <> 'yes'
        then
          insert into billing.break_event (break_id, at, what, asset, amount, side, detail, text)
          values (new.id, coalesce(new.resolved_at, new.last_seen),
            case new.status when 'open' then 'reopened' else 'resolved' end, new.asset, new.amount, new.side, new.detail,
            case new.status when 'open' then 'a reconciliation found it again, or found another difference'
              else new.resolution end);
        end if;
        return null;
      end $$`);
    await queryRunner.query(`
      create trigger break_history after update on billing.break for each row
      execute function billing.keep_break_history()`);
    // What the breaks had before there were rows.
    await queryRunner.query(`
      insert into billing.break_event (break_id, at, what, asset, amount, side, detail, text)
      select break_id, at, what, asset, amount, side, detail, text from (
        select b.id as break_id, e.at, e.what, h->>'asset' as asset, (h->>'amount')::numeric as amount, h->>'side' as side,
          h->>'detail' as detail, e.text
        from billing.break b cross join lateral jsonb_array_elements(b.history) as h
        cross join lateral (values
          ((h->>'resolvedAt')::timestamptz, 'resolved', h->>'resolution'),
          ((h->>'at')::timestamptz, 'reopened', h->>'why')) as e (at, what, text)
        union all
        select id, resolved_at, 'resolved', asset, amount, side, detail, resolution
        from billing.break where status = 'resolved') as past
      order by at`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
