import type { Readable } from 'node:stream';
import { Problem } from '@keyfare/core/problem';
import type { Period } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BillingConfig } from '../config.js';
import { BreakEntity } from '../reconcile/break.entity.js';
import type { PaymentJudgement } from '../reconcile/payment-status.sql.js';
import type { Run } from '../reconcile/reconcile.service.js';
import { ReconciliationEntity } from '../reconcile/reconciliation.entity.js';
import { reportPool } from '../tokens.js';
import { streamCsv } from './csv.js';
import { openBreaksTable, type RunWithBreaks, runRows } from './run-view.js';
import { settlementsTable } from './settlements.js';
import type { Cell, Table } from './table.js';

/** Rows of a report, and whether there are more than were asked for. */
export interface Rows<View> {
  readonly rows: View[];
  readonly truncated: boolean;
}

const mostBreaks = 1_000;

/** Reads the books for people. */
@Injectable()
export class ReportService {
  constructor(
    private readonly config: BillingConfig,
    @Inject(reportPool) private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
  ) {}

  /** The first rows of a report. */
  async read<Row, View extends Readonly<Record<string, Cell>>>(
    { statement, view }: Table<Row, View>,
    limit: number,
  ): Promise<Rows<View>> {
    const values = [...(statement.values ?? []), limit + 1];
    const rows = await this.sql.query<Row>({ text: `${statement.text} limit $${values.length}`, values });
    return { rows: rows.slice(0, limit).map(view), truncated: rows.length > limit };
  }

  /** The whole of a report, however long. */
  async stream<Row, View extends Readonly<Record<string, Cell>>>(table: Table<Row, View>): Promise<Readable> {
    return streamCsv(this.sql, table);
  }

  /** The payments of a month, judged as the reconciliation judges them, by what is known now. */
  async settlements(period: Period): Promise<ReturnType<typeof settlementsTable>> {
    return settlementsTable(period, await this.#judgement());
  }

  /** The last run and the open breaks. 404 `report/not-found` before the first. */
  async latest(): Promise<RunWithBreaks> {
    const run = await this.latestRun();
    const breaks = await this.#openBreaks(mostBreaks + 1);
    return { run, breaks: breaks.slice(0, mostBreaks), truncated: breaks.length > mostBreaks };
  }

  /** The last run. 404 `report/not-found` before the first. */
  async latestRun(): Promise<Run> {
    const [run] = await this.dataSource.manager.find(ReconciliationEntity, { order: { finishedAt: 'DESC' }, take: 1 });
    if (run === undefined) throw new Problem('report/not-found', 'No reconciliation has run yet.');
    return run;
  }

  /** The last run's figures and the open breaks, as one table. */
  async latestCsv(): Promise<Readable> {
    return streamCsv(this.sql, openBreaksTable(), runRows(await this.latestRun()));
  }

  async #openBreaks(limit: number): Promise<readonly BreakEntity[]> {
    return this.dataSource.manager.find(BreakEntity, {
      where: { status: 'open' },
      order: { firstSeen: 'ASC', id: 'ASC' },
      take: limit,
    });
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
