import { PassThrough, type Readable } from 'node:stream';
import { type AssetCode, assetCodes, decimalsOf } from '@keyfare/core/money';
import { type Clock, monthOf, parseMonth } from '@keyfare/core/time';
import type { SqlPool } from '@keyfare/db/sql';
import { Admin } from '@keyfare/gate/operators';
import { Get, Inject, Query, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { stringify } from 'csv-stringify';
import { z } from 'zod';
import { hledgerEncoder, type LedgerLine } from '../export/hledger.js';
import {
  type ImportRow,
  importColumns,
  type Program,
  programs,
  type SummaryRow,
  summaryEncoder,
} from '../export/summary.js';
import { clock, reportPool } from '../tokens.js';
import { csvFormat, streamCsv } from './csv.js';
import { csvOf, fileOf } from './files.js';
import { hledgerStatement, summaryStatement } from './ledger-lines.js';
import { isRange, rangeMessage, rangeOf, rangeQuery } from './range.js';
import { streamRows } from './stream.js';
import { focusTable } from './usage.js';

const hledgerQuery = z.strictObject(rangeQuery).refine(isRange, rangeMessage);

const importQuery = z
  .strictObject({
    ...rangeQuery,
    program: z.enum(programs),
    /** One file holds one asset, as an imported journal has one currency. */
    asset: z.enum(assetCodes).default('USD'),
    by: z.enum(['day', 'month']).default('month'),
    /** `control`: ledger accounts that share the first part of their code are one. */
    accounts: z.enum(['control', 'each']).default('control'),
    /** The name of Xero's tax rate for lines without tax. */
    taxRate: z.string().min(1).max(100).default('Tax Exempt'),
  })
  .refine(isRange, rangeMessage);

const printable = /^[^\p{Cc}]+$/u;

const focusQuery = z.strictObject({
  account: z.string().min(1).max(200).regex(printable),
  month: z.string().max(7).optional(),
  /** Who issues the invoice and provides the service, as the customer knows them. */
  provider: z.string().min(1).max(200).regex(printable),
});

type Line = Omit<LedgerLine, 'amount' | 'effectiveAt' | 'occurredAt'> & {
  readonly amount: string;
  readonly effective_at: Date;
  readonly occurred_at: Date;
};

interface Summary {
  readonly date: string;
  readonly account: string;
  readonly asset: AssetCode;
  readonly opening: string;
  readonly closing: string;
}

/** Files for other programs. Each is streamed, whatever its length. */
@ApiBearerAuth()
@Admin('exports')
export class ExportController {
  constructor(
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The journal as text for hledger, after the balances that it begins with. */
  @Get('hledger')
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  async hledger(@Query({ schema: hledgerQuery }) query: z.infer<typeof hledgerQuery>): Promise<StreamableFile> {
    const period = rangeOf(query, this.now());
    const encoder = hledgerEncoder(decimalsOf);
    const content = await streamRows<Line, string>(this.sql, hledgerStatement(period), {
      out: new PassThrough(),
      encoder: { ...encoder, row: (row) => encoder.row(lineOf(row)) },
    });
    return fileOf(content, { type: 'text/plain; charset=utf-8', name: `${dayText(period.start)}.journal` });
  }

  /** Journals by day or month in whole cents, as QuickBooks Online, Xero or NetSuite imports them. */
  @Get('journals')
  @ApiOkResponse({ content: { 'text/csv': { schema: { type: 'string' } } } })
  async journals(@Query({ schema: importQuery }) query: z.infer<typeof importQuery>): Promise<StreamableFile> {
    const period = rangeOf(query, this.now());
    const content = await this.#journals(query, summaryStatement(period, query));
    return csvOf(content, `${query.program}-${query.asset}-${dayText(period.start)}`);
  }

  /** What one account used in a month, in the columns of FOCUS 1.2. */
  @Get('focus')
  @ApiOkResponse({ content: { 'text/csv': { schema: { type: 'string' } } } })
  async focus(@Query({ schema: focusQuery }) query: z.infer<typeof focusQuery>): Promise<StreamableFile> {
    const period = query.month === undefined ? monthOf(this.now()) : parseMonth(query.month);
    const table = focusTable(query.account, { period, provider: query.provider });
    return csvOf(await streamCsv(this.sql, table), table.name);
  }

  async #journals(
    { program, taxRate }: { readonly program: Program; readonly taxRate: string },
    statement: ReturnType<typeof summaryStatement>,
  ): Promise<Readable> {
    const { columns, amounts } = importColumns(program);
    const encoder = summaryEncoder(program, taxRate);
    return streamRows<Summary, ImportRow>(this.sql, statement, {
      out: stringify(csvFormat(columns, amounts)),
      encoder: { ...encoder, row: (row) => encoder.row(summaryOf(row)) },
    });
  }
}

function lineOf({ effective_at, occurred_at, ...row }: Line): LedgerLine {
  return { ...row, amount: BigInt(row.amount), effectiveAt: effective_at, occurredAt: occurred_at };
}

function summaryOf({ opening, closing, ...row }: Summary): SummaryRow {
  return { ...row, decimals: decimalsOf[row.asset], opening: BigInt(opening), closing: BigInt(closing) };
}

function dayText(at: Date): string {
  return at.toISOString().slice(0, 10);
}
