import { randomUUID } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';

export type RunScope = 'recent' | 'full';
export type RunTrigger = 'manual' | 'schedule';

/** A run as it waits, goes on or has ended. */
export interface AskedRun {
  readonly id: string;
  readonly scope: RunScope;
  readonly trigger: RunTrigger;
  readonly state: 'queued' | 'running' | 'done' | 'failed';
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly check: string | null;
  readonly checksDone: number;
  readonly checksTotal: number;
  readonly failure: string | null;
}

/** How far a run is. */
export interface Progress {
  readonly check: string;
  readonly done: number;
  readonly total: number;
}

/** The run is no longer this process's: it was cancelled, or another took it over. */
export class RunLost extends Error {
  override readonly name = 'RunLost';
}

interface Row {
  readonly id: string;
  readonly scope: RunScope;
  readonly trigger: RunTrigger;
  readonly state: AskedRun['state'];
  readonly requested_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly check_name: string | null;
  readonly checks_done: number;
  readonly checks_total: number;
  readonly failure: string | null;
}

const mostAttempts = 3;
const cancelled = 'an operator cancelled it';

/** The runs of the reconciliation: one goes on at a time, over all processes. */
@Injectable()
export class RunStore {
  /** Names this process in the runs that it does. */
  readonly worker = randomUUID();

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The run that waits or goes on and reads all that is asked for; a new one where there is none. */
  async ask(sql: Sql, { scope, trigger }: { scope: RunScope; trigger: RunTrigger }): Promise<AskedRun> {
    for (;;) {
      const [open] = await sql.query<Row>({
        text: `select * from billing.reconciliation_run
          where state in ('queued', 'running') and (scope = 'full' or scope = $1)
          order by state = 'running' desc, requested_at limit 1`,
        values: [scope],
      });
      if (open !== undefined) return runOf(open);
      const [made] = await sql.query<Row>({
        text: `insert into billing.reconciliation_run (id, scope, trigger, state, requested_at)
          values ($1, $2, $3, 'queued', $4) on conflict do nothing returning *`,
        values: [randomUUID(), scope, trigger, this.now()],
      });
      // Another asked at the same moment, or has ended since: then the question is asked again.
      if (made !== undefined) return runOf(made);
    }
  }

  /** 404 `report/not-found`. */
  async find(id: string, sql: Sql = this.sql): Promise<AskedRun> {
    const [row] = await sql.query<Row>({
      text: 'select * from billing.reconciliation_run where id::text = $1',
      values: [id],
    });
    if (row === undefined) throw new Problem('report/not-found', 'There is no such run of the reconciliation.');
    return runOf(row);
  }

  /** The newest first; one more than `limit`, where there are so many. */
  async list({ after, limit }: { after: { at: string; id: string } | null; limit: number }): Promise<AskedRun[]> {
    const rows = await this.sql.query<Row>({
      text: `select * from billing.reconciliation_run
        where $1::timestamptz is null or (date_trunc('milliseconds', requested_at), id) < ($1, $2::uuid)
        order by date_trunc('milliseconds', requested_at) desc, id desc limit $3`,
      values: [after?.at ?? null, after?.id ?? null, limit + 1],
    });
    return rows.map(runOf);
  }

  /** Ends a run that waits or goes on; what it found is dropped. One that has ended stays as it is. */
  async cancel(tx: Sql, id: string): Promise<AskedRun> {
    await tx.query({
      text: `update billing.reconciliation_run
        set state = 'failed', failure = $2, finished_at = $3
        where id::text = $1 and state in ('queued', 'running')`,
      values: [id, cancelled, this.now()],
    });
    return this.find(id, tx);
  }

  /**
   * Takes the run that waits longest, unless one goes on. One whose process has not shown for a lease that it lives
   * waits again; after three such processes it failed.
   */
  async claim(): Promise<AskedRun | null> {
    await this.sql.query({
      text: `update billing.reconciliation_run set worker = null, check_name = null, checks_done = 0,
          state = case when attempts >= $2 then 'failed' else 'queued' end,
          failure = case when attempts >= $2 then 'its processes were lost' end,
          finished_at = case when attempts >= $2 then $3::timestamptz end
        where state = 'running' and beaten_at < clock_timestamp() - make_interval(secs => $1::double precision)`,
      values: [this.config.jobLeaseMs / 1_000, mostAttempts, this.now()],
    });
    try {
      const [row] = await this.sql.query<Row>({
        text: `update billing.reconciliation_run set state = 'running', worker = $1, attempts = attempts + 1,
            beaten_at = clock_timestamp(), started_at = $2
          where state = 'queued' and not exists (select 1 from billing.reconciliation_run where state = 'running')
            and id = (
              select id from billing.reconciliation_run where state = 'queued' order by requested_at, id limit 1
              for update skip locked)
          returning *`,
        values: [this.worker, this.now()],
      });
      return row === undefined ? null : runOf(row);
    } catch (error) {
      // SQLSTATE 23505: another process took one at the same moment.
      if (errorCode(error) === '23505') return null;
      throw error;
    }
  }

  /** Shows that this process lives, and how far the run is. Throws `RunLost` when it is no longer this process's. */
  async beat(id: string, progress?: Progress): Promise<void> {
    const rows = await this.sql.query({
      text: `update billing.reconciliation_run set beaten_at = clock_timestamp(),
          check_name = coalesce($3, check_name), checks_done = coalesce($4::int, checks_done),
          checks_total = coalesce($5::int, checks_total)
        where id = $1 and worker = $2 and state = 'running' returning 1`,
      values: [id, this.worker, progress?.check ?? null, progress?.done ?? null, progress?.total ?? null],
    });
    if (rows.length === 0) throw new RunLost('the run goes on elsewhere, or was cancelled');
  }

  /**
   * Locks the run for the transaction that writes what it found: it is cancelled before, or not at all. Throws
   * `RunLost` as `beat`.
   */
  async hold(tx: Sql, id: string): Promise<void> {
    const rows = await tx.query({
      text: `select 1 from billing.reconciliation_run where id = $1 and worker = $2 and state = 'running' for update`,
      values: [id, this.worker],
    });
    if (rows.length === 0) throw new RunLost('the run goes on elsewhere, or was cancelled');
  }

  /** Ends a run of this process: done, or failed where `failure` says of what. */
  async end(sql: Sql, id: string, failure: string | null = null): Promise<void> {
    await sql.query({
      text: `update billing.reconciliation_run set state = case when $3::text is null then 'done' else 'failed' end,
          failure = $3, finished_at = $4, check_name = null, checks_done = case when $3::text is null
            then checks_total else checks_done end
        where id = $1 and worker = $2 and state = 'running'`,
      values: [id, this.worker, failure, this.now()],
    });
  }

  /** Gives a run back that this process cannot end: it waits again. */
  async release(id: string): Promise<void> {
    await this.sql.query({
      text: `update billing.reconciliation_run set state = 'queued', worker = null, attempts = attempts - 1,
          check_name = null, checks_done = 0
        where id = $1 and worker = $2 and state = 'running'`,
      values: [id, this.worker],
    });
  }
}

function runOf(row: Row): AskedRun {
  const { id, scope, trigger, state, failure } = row;
  return {
    id,
    scope,
    trigger,
    state,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    check: row.check_name,
    checksDone: row.checks_done,
    checksTotal: row.checks_total,
    failure,
  };
}
