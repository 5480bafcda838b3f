import type { Readable } from 'node:stream';
import { Problem } from '@keyfare/core/problem';
import type { Period } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import type { Page } from '@keyfare/gate/operators';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BillingConfig } from '../config.js';
import { BreakService } from '../reconcile/break.service.js';
import type { PaymentJudgement } from '../reconcile/payment-status.sql.js';
import { readRun } from '../reconcile/read-run.js';
import type { Run } from '../reconcile/reconcile.service.js';
import { ReconciliationEntity } from '../reconcile/reconciliation.entity.js';
import { reportPool } from '../tokens.js';
import { type CsvQuery, streamCsv } from './csv.js';
import { openBreaksTable, type RunWithBreaks, runRows } from './run-view.js';
import { settlementsTable } from './settlements.js';
import { type Cell, readPage, type Table } from './table.js';

const mostBreaks = 1_000;

/** Reads the books for people. */
@Injectable()
export class ReportService {
  constructor(
    private readonly config: BillingConfig,
    @Inject(reportPool) private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
    private readonly breaks: BreakService,
  ) {}

  /** A part of a report. */
  async read<Row, View extends Readonly<Record<string, Cell>>>(
    table: Table<Row, View>,
    page: { readonly limit: number; readonly cursor: string | undefined },
  ): Promise<Page<View>> {
    return readPage(this.sql, table, page);
  }

  /** The whole of a report, however long. */
  async stream<Row, View extends Readonly<Record<string, Cell>>>(
    table: Table<Row, View>,
    query: CsvQuery = {},
  ): Promise<Readable> {
    return streamCsv(this.sql, table, { query });
  }

  /** The payments of a month, judged as the reconciliation judges them, by what is known now. */
  async settlements(period: Period): Promise<ReturnType<typeof settlementsTable>> {
    return settlementsTable(period, await this.#judgement());
  }

  /** The last run and the open breaks. 404 `report/not-found` before the first. */
  async latest(): Promise<RunWithBreaks> {
    return this.withBreaks(await this.latestRun());
  }

  /** A run, and the breaks that are open now, as the caller's transaction sees them. */
  async withBreaks(run: Run, sql?: Sql): Promise<RunWithBreaks> {
    const breaks = await this.breaks.list({ status: 'open', after: null, limit: mostBreaks }, sql);
    return { run, breaks: breaks.slice(0, mostBreaks), truncated: breaks.length > mostBreaks };
  }

  /** A run that has ended. 404 `report/not-found` where it has no report. */
  async run(id: string): Promise<Run> {
    return readRun(this.sql, id);
  }

  /** The last run. 404 `report/not-found` before the first. */
  async latestRun(): Promise<Run> {
    const [run] = await this.dataSource.manager.find(ReconciliationEntity, { order: { finishedAt: 'DESC' }, take: 1 });
    if (run === undefined) throw new Problem('report/not-found', 'No reconciliation has run yet.');
    return run;
  }

  /** The last run's figures and the open breaks, as one table. */
  async latestCsv(query: CsvQuery): Promise<Readable> {
    return streamCsv(this.sql, openBreaksTable(), { lead: runRows(await this.latestRun()), query });
  }

  async #judgement(): Promise<PaymentJudgement> {
    const [feed] = await this.sql.query<{ complete_as_of: Date | null }>({
      text: 'select complete_as_of from billing.feed_cursor where feed = $1',
      values: ['api'],
    });
    const { reconcileGraceSeconds: graceSeconds, network, payTo } = this.config;
    return { graceSeconds, entriesCompleteAsOf: feed?.complete_as_of ?? null, network, payTo };
  }
}
