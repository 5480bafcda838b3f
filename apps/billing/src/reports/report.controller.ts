import type { Readable } from 'node:stream';
import { type Clock, monthOf, type Period, parseMonth } from '@keyfare/core/time';
import { Admin } from '@keyfare/gate/operators';
import { Get, Inject, Query, Req, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { refundRow, refundsTable } from './refunds.js';
import { ReportService, type Rows } from './report.service.js';
import { revenueRow, revenueTable } from './revenue.js';
import { runView, viewRun } from './run-view.js';
import { settlementRow } from './settlements.js';
import type { Cell, Table } from './table.js';
import { trialBalanceRow, trialBalanceTable } from './trial-balance.js';
import { unpaidRow, unpaidTable } from './unpaid.js';

const reportQuery = z.object({
  format: z.enum(['json', 'csv']).optional(),
  /** The running month by default. */
  month: z.string().optional(),
  /** How many rows at most, in JSON. A CSV has them all. */
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});
type ReportQuery = z.infer<typeof reportQuery>;

const rowsOf = <T extends z.ZodType>(row: T) => z.object({ rows: z.array(row), truncated: z.boolean() });

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
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<z.infer<typeof runView> | StreamableFile> {
    if (!wantsCsv(query, request)) return viewRun(await this.reports.latest(), this.now());
    return csvFile('reconciliation', await this.reports.latestCsv());
  }

  /** Revenue by rail, product and customer. */
  @Get(['revenue', 'revenue.csv'])
  @ApiOkResponse({ standardSchema: rowsOf(revenueRow) })
  async revenue(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Rows<z.infer<typeof revenueRow>> | StreamableFile> {
    return this.#answer(revenueTable(this.#month(query)), query, request);
  }

  /** Every account of the ledger and its balance. */
  @Get(['trial-balance', 'trial-balance.csv'])
  @ApiOkResponse({ standardSchema: rowsOf(trialBalanceRow) })
  async trialBalance(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Rows<z.infer<typeof trialBalanceRow>> | StreamableFile> {
    return this.#answer(trialBalanceTable(), query, request);
  }

  /** The payments of a month, one by one, with what the chain says of each. */
  @Get(['settlements', 'settlements.csv'])
  @ApiOkResponse({ standardSchema: rowsOf(settlementRow) })
  async settlements(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Rows<z.infer<typeof settlementRow>> | StreamableFile> {
    return this.#answer(await this.reports.settlements(this.#month(query)), query, request);
  }

  /** Calls that were served and not paid for. */
  @Get(['unpaid', 'unpaid.csv'])
  @ApiOkResponse({ standardSchema: rowsOf(unpaidRow) })
  async unpaid(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Rows<z.infer<typeof unpaidRow>> | StreamableFile> {
    return this.#answer(unpaidTable(this.#month(query)), query, request);
  }

  /** Money that came in for calls that were not served. */
  @Get(['refunds', 'refunds.csv'])
  @ApiOkResponse({ standardSchema: rowsOf(refundRow) })
  async refunds(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Rows<z.infer<typeof refundRow>> | StreamableFile> {
    return this.#answer(refundsTable(this.#month(query)), query, request);
  }

  async #answer<Row, View extends Readonly<Record<string, Cell>>>(
    table: Table<Row, View>,
    query: ReportQuery,
    request: FastifyRequest,
  ): Promise<Rows<View> | StreamableFile> {
    if (!wantsCsv(query, request)) return this.reports.read(table, query.limit);
    return csvFile(table.name, await this.reports.stream(table));
  }

  #month({ month }: ReportQuery): Period {
    return month === undefined ? monthOf(this.now()) : parseMonth(month);
  }
}

function wantsCsv({ format }: ReportQuery, { url }: FastifyRequest): boolean {
  return format === 'csv' || (url.split('?', 1)[0] ?? '').endsWith('.csv');
}

function csvFile(name: string, content: Readable): StreamableFile {
  return new StreamableFile(content, {
    type: 'text/csv; charset=utf-8; header=present',
    disposition: `attachment; filename="keyfare-${name}.csv"`,
  });
}
