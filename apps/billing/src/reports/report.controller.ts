import type { Readable } from 'node:stream';
import { type Clock, monthOf, type Period, parseMonth } from '@keyfare/core/time';
import { Admin, type Page, pageOf, pageQuery } from '@keyfare/gate/operators';
import { Get, Inject, Query, Req, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { refundRow, refundsTable } from './refunds.js';
import { ReportService } from './report.service.js';
import { revenueRow, revenueTable } from './revenue.js';
import { runView, viewRun } from './run-view.js';
import { settlementRow } from './settlements.js';
import type { Cell, Table } from './table.js';
import { trialBalanceRow, trialBalanceTable } from './trial-balance.js';
import { unpaidRow, unpaidTable } from './unpaid.js';

const format = z.enum(['json', 'csv']).optional();
const runQuery = z.strictObject({ format });
/** `limit` and `cursor` are of JSON: a CSV has all rows. */
const reportQuery = z.strictObject({
  ...pageQuery,
  format,
  /** The running month by default; of the trial balance, everything. */
  month: z.string().max(7).optional(),
});
type ReportQuery = z.infer<typeof reportQuery>;

/** The reports of finance: as JSON, and as CSV by `.csv` or `?format=csv`. */
@ApiBearerAuth()
@Admin('reports')
export class ReportController {
  constructor(
    private readonly reports: ReportService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The last reconciliation; as CSV with the open breaks. */
  @Get(['reconciliation', 'reconciliation.csv'])
  @ApiOkResponse({ standardSchema: runView })
  async reconciliation(
    @Query({ schema: runQuery }) query: z.infer<typeof runQuery>,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof runView> | StreamableFile> {
    if (!wantsCsv(query, request)) return viewRun(await this.reports.latest(), this.now());
    return csvFile('reconciliation', await this.reports.latestCsv());
  }

  /** Revenue by rail, product and customer. */
  @Get(['revenue', 'revenue.csv'])
  @ApiOkResponse({ standardSchema: pageOf(revenueRow) })
  async revenue(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof revenueRow>> | StreamableFile> {
    return this.#answer(revenueTable(this.#month(query)), query, request);
  }

  /** Every account of the ledger and its balance, at the end of `month` where it is given. */
  @Get(['trial-balance', 'trial-balance.csv'])
  @ApiOkResponse({ standardSchema: pageOf(trialBalanceRow) })
  async trialBalance(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof trialBalanceRow>> | StreamableFile> {
    const { month } = query;
    return this.#answer(trialBalanceTable(month === undefined ? null : parseMonth(month)), query, request);
  }

  /** The payments of a month, one by one, with what the chain says of each. */
  @Get(['settlements', 'settlements.csv'])
  @ApiOkResponse({ standardSchema: pageOf(settlementRow) })
  async settlements(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof settlementRow>> | StreamableFile> {
    return this.#answer(await this.reports.settlements(this.#month(query)), query, request);
  }

  /** Calls that were served and not paid for. */
  @Get(['unpaid', 'unpaid.csv'])
  @ApiOkResponse({ standardSchema: pageOf(unpaidRow) })
  async unpaid(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof unpaidRow>> | StreamableFile> {
    return this.#answer(unpaidTable(this.#month(query)), query, request);
  }

  /** Money that came in for calls that were not served. */
  @Get(['refunds', 'refunds.csv'])
  @ApiOkResponse({ standardSchema: pageOf(refundRow) })
  async refunds(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof refundRow>> | StreamableFile> {
    return this.#answer(refundsTable(this.#month(query)), query, request);
  }

  async #answer<Row, View extends Readonly<Record<string, Cell>>>(
    table: Table<Row, View>,
    query: ReportQuery,
    request: FastifyRequest,
  ): Promise<Page<View> | StreamableFile> {
    if (!wantsCsv(query, request)) return this.reports.read(table, { limit: query.limit, cursor: query.cursor });
    return csvFile(table.name, await this.reports.stream(table));
  }

  #month({ month }: ReportQuery): Period {
    return month === undefined ? monthOf(this.now()) : parseMonth(month);
  }
}

function wantsCsv({ format: asked }: Pick<ReportQuery, 'format'>, { url }: FastifyRequest): boolean {
  return asked === 'csv' || (url.split('?', 1)[0] ?? '').endsWith('.csv');
}

function csvFile(name: string, content: Readable): StreamableFile {
  return new StreamableFile(content, {
    type: 'text/csv; charset=utf-8; header=present',
    disposition: `attachment; filename="keyfare-${name}.csv"`,
  });
}
