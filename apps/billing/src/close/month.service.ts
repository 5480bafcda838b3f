import { Problem } from '@keyfare/core/problem';
import { type Clock, monthOf, type Period } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';
import { awaitBooks } from '../turns.js';
import { type ChecklistItem, lookAt } from './checklist.js';
import type { MonthEventEntity } from './month-event.entity.js';

/** A month of the books. */
export interface Month {
  readonly period: Period;
  /** Null while it is open. */
  readonly lockedAt: Date | null;
  readonly lockedBy: string | null;
}

/** A month, what is looked at before it is locked, and what became of it. */
export interface MonthReport extends Month {
  readonly checklist: readonly ChecklistItem[];
  /** The newest first. */
  readonly events: readonly MonthEventEntity[];
}

interface MonthRow {
  readonly start: Date;
  readonly locked_at: Date | null;
  readonly locked_by: string | null;
}

// A break of them says no amount, and closes by itself or costs nothing.
const minorClasses = ['units-over-limit'];
const mostEvents = 100;

/** Locks the months of the books, in their order: nothing is dated into a locked one. */
@Injectable()
export class MonthService {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * The newest first: from the running month, or `before`, back to the first that a journal is dated into; one more
   * than `limit`.
   */
  async list({ before, limit }: { before: Date | null; limit: number }): Promise<readonly Month[]> {
    const rows = await this.sql.query<MonthRow>({
      text: `select m at time zone 'utc' as start, a.locked_at, a.locked_by
        from generate_series(
          least($1::timestamptz at time zone 'utc', (
            select date_trunc('month', min(effective_at) at time zone 'utc') from billing.journal)),
          $1::timestamptz at time zone 'utc', interval '1 month') as m
        left join billing.accounting_month a on a.month = m::date
        where $2::timestamptz is null or m at time zone 'utc' < $2
        order by m desc limit $3`,
      values: [monthOf(this.now()).start, before, limit + 1],
    });
    return rows.map((row) => this.#monthOf(row));
  }

  async find(period: Period, sql: Sql = this.sql): Promise<MonthReport> {
    const [row] = await sql.query<MonthRow>({
      text: `select $1::timestamptz as start, locked_at, locked_by from (select 1) as one
        left join billing.accounting_month on month = ($1::timestamptz at time zone 'utc')::date`,
      values: [period.start],
    });
    if (row === undefined) throw new TypeError('a left join of one row has one');
    const { closeBreakLimit: limit } = this.config;
    const checklist = await lookAt(sql, period, { now: this.now(), limit, minor: minorClasses });
    return { ...this.#monthOf(row), checklist, events: await this.#events(sql, period) };
  }

  /**
   * Locks the month in the caller's transaction. 409 `month/conflict` when it is locked, `month/not-ready` with
   * `missing` while the checklist has an open point.
   */
  async lock(tx: Sql, period: Period, by: { id: string; name: string }): Promise<MonthReport> {
    // No journal is posted meanwhile, and no other month is locked or opened.
    await awaitBooks(tx);
    const { checklist, lockedAt } = await this.find(period, tx);
    if (lockedAt !== null) throw new Problem('month/conflict', 'The month is locked already.');
    const missing = checklist.filter(({ ok }) => !ok);
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(', ');
      throw new Problem('month/not-ready', `These stand in the way of the lock: ${names}.`, {
        extensions: { missing },
      });
    }
    await tx.query({
      text: `insert into billing.accounting_month (month, locked_at, locked_by)
        values (($1::timestamptz at time zone 'utc')::date, $2, $3)
        on conflict (month) do update set locked_at = excluded.locked_at, locked_by = excluded.locked_by`,
      values: [period.start, this.now(), by.name],
    });
    await this.#note(tx, period, { what: 'locked', reason: null, by, checklist });
    return this.find(period, tx);
  }

  /** Opens the last locked month again, in the caller's transaction. 409 `month/conflict` for any other. */
  async reopen(
    tx: Sql,
    period: Period,
    { reason, by }: { reason: string; by: { id: string; name: string } },
  ): Promise<MonthReport> {
    await awaitBooks(tx);
    const [opened] = await tx.query({
      text: `update billing.accounting_month set locked_at = null, locked_by = null
        where month = ($1::timestamptz at time zone 'utc')::date and locked_at is not null
          and month = (select max(month) from billing.accounting_month where locked_at is not null) returning 1`,
      values: [period.start],
    });
    if (opened === undefined) throw new Problem('month/conflict', 'It is not the last month that is locked.');
    const { checklist } = await this.find(period, tx);
    await this.#note(tx, period, { what: 'reopened', reason, by, checklist });
    return this.find(period, tx);
  }

  #monthOf({ start, locked_at: lockedAt, locked_by: lockedBy }: MonthRow): Month {
    return { period: monthOf(start), lockedAt, lockedBy };
  }

  async #note(
    tx: Sql,
    { start }: Period,
    {
      what,
      reason,
      by,
      checklist,
    }: Pick<MonthEventEntity, 'what' | 'reason' | 'checklist'> & { by: { id: string; name: string } },
  ): Promise<void> {
    await tx.query({
      text: `insert into billing.month_event (month, what, at, operator_id, operator_name, reason, checklist)
        values (($1::timestamptz at time zone 'utc')::date, $2, $3, $4, $5, $6, $7)`,
      values: [start, what, this.now(), by.id, by.name, reason, JSON.stringify(checklist)],
    });
  }

  async #events(sql: Sql, { start }: Period): Promise<readonly MonthEventEntity[]> {
    const rows = await sql.query<EventRow>({
      text: `select id, month::text as month, what, at, operator_id, operator_name, reason, checklist
        from billing.month_event where month = ($1::timestamptz at time zone 'utc')::date
        order by id desc limit $2`,
      values: [start, mostEvents],
    });
    return rows.map(
      ({ id, month, what, at, operator_id: operatorId, operator_name: operatorName, reason, checklist }) => {
        return { id: BigInt(id), month, what, at, operatorId, operatorName, reason, checklist };
      },
    );
  }
}

interface EventRow extends Pick<MonthEventEntity, 'month' | 'what' | 'at' | 'reason' | 'checklist'> {
  readonly id: string;
  readonly operator_id: string;
  readonly operator_name: string;
}
