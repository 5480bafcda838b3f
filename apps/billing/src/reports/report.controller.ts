import { identifierText } from '@keyfare/core/text';
import { type Clock, monthOf, type Period, parseMonth } from '@keyfare/core/time';
import { Admin, type Page, pageOf, pageQuery } from '@keyfare/gate/operators';
import { Get, Inject, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MasterData } from '../customer/master-data.js';
import { clock } from '../tokens.js';
import { ageingRow, ageingTable } from './ageing.js';
import { callerRow, callersTable } from './callers.js';
import { csvQuery } from './csv.js';
import { statementRow, statementTable } from './customer-statement.js';
import { csvOf } from './files.js';
import { registerRow, registerTable } from './invoice-register.js';
import { generalLedgerRow, generalLedgerTable, journalRow, journalTable } from './ledger-lines.js';
import { planComparisonRow, planComparisonTable } from './plan-comparison.js';
import { day, dayAfter, isRange, isWithinAYear, rangeMessage, rangeOf, rangeQuery, yearMessage } from './range.js';
import { refundRow, refundsTable } from './refunds.js';
import { ReportService } from './report.service.js';
import { revenueRow, revenueTable } from './revenue.js';
import { revenueTimingRow, revenueTimingTable } from './revenue-timing.js';
import { runView, viewRun } from './run-view.js';
import { settlementRow } from './settlements.js';
import type { Cell, Table } from './table.js';
import { trialBalanceRow, trialBalanceTable } from './trial-balance.js';
import { unpaidRow, unpaidTable } from './unpaid.js';
import { accountUsageRow, accountUsageTable, dailyRevenueRow, dailyRevenueTable } from './usage.js';

const format = z.enum(['json', 'csv']).optional();
const runQuery = z.strictObject({ format, ...csvQuery });
/** `limit` and `cursor` are of JSON: a CSV has all rows. */
const reportQuery = z.strictObject({
  ...pageQuery,
  ...csvQuery,
  format,
  /** The running month by default. */
  month: z.string().max(7).optional(),
});
type ReportQuery = z.infer<typeof reportQuery>;
/** The end of a month or of a day; everything by default. */
const balanceQuery = reportQuery
  .extend({ asOf: day.optional() })
  .refine(({ month, asOf }) => month === undefined || asOf === undefined, 'must be a month or asOf');
const daysQuery = z.strictObject({ ...pageQuery, ...csvQuery, format, ...rangeQuery });
/** At the end of the day `asOf`: today by default, as far as it has come. */
const ageingQuery = z.strictObject({ ...pageQuery, ...csvQuery, format, asOf: day.optional() });
const statementQuery = daysQuery.extend({ customer: z.uuid() }).refine(isRange, rangeMessage);
const linesQuery = daysQuery.refine(isRange, rangeMessage);
const usageQuery = daysQuery
  .extend({ account: identifierText })
  .refine(isRange, rangeMessage)
  .refine(isWithinAYear, yearMessage);
const comparisonQuery = reportQuery.extend({ account: identifierText });
const detailQuery = daysQuery
  .extend({
    ledgerAccount: z
      .string()
      .min(1)
      .max(500)
      .regex(/^[^\0]+$/),
  })
  .refine(isRange, rangeMessage);
/** What all of them have, whatever they are of. */
type AnyQuery = Omit<ReportQuery, 'month'>;

/** The reports of finance: as JSON, and as CSV by `.csv` or `?format=csv`. */
@ApiBearerAuth()
@Admin('reports')
export class ReportController {
  constructor(
    private readonly reports: ReportService,
    private readonly customers: MasterData,
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
    return csvOf(await this.reports.latestCsv(query), 'reconciliation');
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

  /** Revenue by day, rail, product and customer. */
  @Get(['daily-revenue', 'daily-revenue.csv'])
  @ApiOkResponse({ standardSchema: pageOf(dailyRevenueRow) })
  async dailyRevenue(
    @Query({ schema: linesQuery }) query: z.infer<typeof linesQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof dailyRevenueRow>> | StreamableFile> {
    return this.#answer(dailyRevenueTable(rangeOf(query, this.now())), query, request);
  }

  /** What an account used by day and product, on either rail. */
  @Get(['usage', 'usage.csv'])
  @ApiOkResponse({ standardSchema: pageOf(accountUsageRow) })
  async usage(
    @Query({ schema: usageQuery }) query: z.infer<typeof usageQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof accountUsageRow>> | StreamableFile> {
    return this.#answer(accountUsageTable(query.account, rangeOf(query, this.now())), query, request);
  }

  /** What an account's month would have cost on each plan. */
  @Get(['plan-comparison', 'plan-comparison.csv'])
  @ApiOkResponse({ standardSchema: pageOf(planComparisonRow) })
  async planComparison(
    @Query({ schema: comparisonQuery }) query: z.infer<typeof comparisonQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof planComparisonRow>> | StreamableFile> {
    return this.#answer(planComparisonTable(query.account, this.#month(query)), query, request);
  }

  /** Who called in a month, and which wallets would have paid less on a plan. */
  @Get(['callers', 'callers.csv'])
  @ApiOkResponse({ standardSchema: pageOf(callerRow) })
  async callers(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof callerRow>> | StreamableFile> {
    return this.#answer(callersTable(this.#month(query)), query, request);
  }

  /** The invoices of a month. */
  @Get(['invoices', 'invoices.csv'])
  @ApiOkResponse({ standardSchema: pageOf(registerRow) })
  async register(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof registerRow>> | StreamableFile> {
    return this.#answer(registerTable(this.#month(query)), query, request);
  }

  /** What each customer owes, by how long it is overdue. */
  @Get(['ageing', 'ageing.csv'])
  @ApiOkResponse({ standardSchema: pageOf(ageingRow) })
  async ageing(
    @Query({ schema: ageingQuery }) query: z.infer<typeof ageingQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof ageingRow>> | StreamableFile> {
    const asOf = query.asOf ?? this.now().toISOString().slice(0, 10);
    return this.#answer(ageingTable(asOf, dayAfter(asOf)), query, request);
  }

  /** What a customer owed, was invoiced and paid in a time. */
  @Get(['statement', 'statement.csv'])
  @ApiOkResponse({ standardSchema: pageOf(statementRow) })
  async statement(
    @Query({ schema: statementQuery }) query: z.infer<typeof statementQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof statementRow>> | StreamableFile> {
    const { id } = await this.customers.find('customer', query.customer);
    return this.#answer(statementTable({ customer: id }, rangeOf(query, this.now())), query, request);
  }

  /** Every line of the journal. */
  @Get(['journal', 'journal.csv'])
  @ApiOkResponse({ standardSchema: pageOf(journalRow) })
  async journal(
    @Query({ schema: linesQuery }) query: z.infer<typeof linesQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof journalRow>> | StreamableFile> {
    return this.#answer(journalTable(rangeOf(query, this.now())), query, request);
  }

  /** One account of the ledger: its opening balance, its movements with the balance after each, its closing balance. */
  @Get(['general-ledger', 'general-ledger.csv'])
  @ApiOkResponse({ standardSchema: pageOf(generalLedgerRow) })
  async generalLedger(
    @Query({ schema: detailQuery }) query: z.infer<typeof detailQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof generalLedgerRow>> | StreamableFile> {
    return this.#answer(generalLedgerTable(query.ledgerAccount, rangeOf(query, this.now())), query, request);
  }

  /** What was earned in a month and what was invoiced in it, and what stands between them, by account of the ledger. */
  @Get(['revenue-timing', 'revenue-timing.csv'])
  @ApiOkResponse({ standardSchema: pageOf(revenueTimingRow) })
  async revenueTiming(
    @Query({ schema: reportQuery }) query: ReportQuery,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof revenueTimingRow>> | StreamableFile> {
    return this.#answer(revenueTimingTable(this.#month(query)), query, request);
  }

  /** Every account of the ledger and its balance, at the end of `month` or of the day `asOf` where one is given. */
  @Get(['trial-balance', 'trial-balance.csv'])
  @ApiOkResponse({ standardSchema: pageOf(trialBalanceRow) })
  async trialBalance(
    @Query({ schema: balanceQuery }) query: z.infer<typeof balanceQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof trialBalanceRow>> | StreamableFile> {
    const { month, asOf } = query;
    const end = asOf === undefined ? null : dayAfter(asOf);
    return this.#answer(trialBalanceTable(month === undefined ? end : parseMonth(month).end), query, request);
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
    query: AnyQuery,
    request: FastifyRequest,
  ): Promise<Page<View> | StreamableFile> {
    if (!wantsCsv(query, request)) return this.reports.read(table, { limit: query.limit, cursor: query.cursor });
    return csvOf(await this.reports.stream(table, query), table.name);
  }

  #month({ month }: ReportQuery): Period {
    return month === undefined ? monthOf(this.now()) : parseMonth(month);
  }
}

function wantsCsv({ format: asked }: Pick<ReportQuery, 'format'>, { url }: FastifyRequest): boolean {
  return asked === 'csv' || (url.split('?', 1)[0] ?? '').endsWith('.csv');
}
