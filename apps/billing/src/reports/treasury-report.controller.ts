import { parseMoney } from '@keyfare/core/money';
import { type Clock, monthOf, parseMonth } from '@keyfare/core/time';
import { Admin, type Page, pageOf, pageQuery } from '@keyfare/gate/operators';
import { Get, Inject, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { csvQuery } from './csv.js';
import { dustRow, dustTable } from './dust.js';
import { csvOf } from './files.js';
import { gasRow, gasTable } from './gas.js';
import { ReportService } from './report.service.js';
import { sweepRow, sweepsTable } from './sweeps.js';
import type { Cell, Table } from './table.js';

const query = z.strictObject({
  ...pageQuery,
  ...csvQuery,
  format: z.enum(['json', 'csv']).optional(),
  /** The running month by default. */
  month: z.string().max(7).optional(),
});
type Query = z.infer<typeof query>;
const gasQuery = query.extend({
  by: z.enum(['day', 'settlement']).default('day'),
  /** What one ETH is worth in dollars, such as 3000.50: the books know no rate. */
  ethUsd: z
    .string()
    .regex(/^(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?$/, 'must be an amount such as 3000.50')
    .optional(),
});

/** What the treasury does with money: as JSON, and as CSV by `.csv` or `?format=csv`. */
@ApiBearerAuth()
@Admin('reports')
export class TreasuryReportController {
  constructor(
    private readonly reports: ReportService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** What moved between wallets of ours in a month. */
  @Get(['sweeps', 'sweeps.csv'])
  @ApiOkResponse({ standardSchema: pageOf(sweepRow) })
  async sweeps(
    @Query({ schema: query }) asked: Query,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof sweepRow>> | StreamableFile> {
    return this.#answer(sweepsTable(this.#month(asked)), asked, request);
  }

  /** What came in of a month that is too small to ask whose it is, and transfers of nothing. */
  @Get(['dust', 'dust.csv'])
  @ApiOkResponse({ standardSchema: pageOf(dustRow) })
  async dust(
    @Query({ schema: query }) asked: Query,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof dustRow>> | StreamableFile> {
    return this.#answer(dustTable(this.#month(asked)), asked, request);
  }

  /** What settlements cost, by day or one by one, and what part of what they brought in that is. */
  @Get(['gas', 'gas.csv'])
  @ApiOkResponse({ standardSchema: pageOf(gasRow) })
  async gas(
    @Query({ schema: gasQuery }) asked: z.infer<typeof gasQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Page<z.infer<typeof gasRow>> | StreamableFile> {
    const ethUsd = asked.ethUsd === undefined ? null : parseMoney('USD', asked.ethUsd).atomic;
    return this.#answer(gasTable(this.#month(asked), { by: asked.by, ethUsd }), asked, request);
  }

  #month({ month }: Pick<Query, 'month'>): ReturnType<typeof monthOf> {
    return month === undefined ? monthOf(this.now()) : parseMonth(month);
  }

  async #answer<Row, View extends Readonly<Record<string, Cell>>>(
    table: Table<Row, View>,
    asked: Query,
    { url }: FastifyRequest,
  ): Promise<Page<View> | StreamableFile> {
    const isCsv = asked.format === 'csv' || (url.split('?', 1)[0] ?? '').endsWith('.csv');
    if (!isCsv) return this.reports.read(table, { limit: asked.limit, cursor: asked.cursor });
    return csvOf(await this.reports.stream(table, asked), table.name);
  }
}
