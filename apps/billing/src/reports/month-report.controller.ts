import { ledgerAssetCodes } from '@keyfare/core/money';
import { type Clock, formatMonth, parseMonth } from '@keyfare/core/time';
import type { SqlPool } from '@keyfare/db/sql';
import { Admin, Changes, Needs, operatorOf } from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Inject, Param, Post, Query, Req, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { stringify } from 'csv-stringify';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MonthService } from '../close/month.service.js';
import type { WalletMonth } from '../close/month-report.js';
import { MonthReportService, type SignedReport } from '../close/month-report.service.js';
import { renderClosePack } from '../document/close-pack.js';
import { clock, reportPool } from '../tokens.js';
import { readClosePack } from './close-pack.js';
import { csvFormat } from './csv.js';
import { csvOf } from './files.js';
import type { Cell } from './table.js';

const counted = z.object({ count: z.string(), amount: z.string() });
const reportView = z
  .object({
    month: z.string(),
    wallets: z.array(
      z.object({
        network: z.string(),
        wallet: z.string(),
        asset: z.enum(ledgerAssetCodes),
        opening: z.string(),
        /** In less out, by the kind of the journal. */
        movements: z.array(counted.extend({ kind: z.string() })),
        closing: z.string(),
        /** Open now, of what happened in the month. */
        unexplained: counted,
        /** Open now, of what happened up to its end. */
        carriedForward: counted,
      }),
    ),
    /** SHA-256 of the month and its wallets in canonical JSON. */
    digest: z.string(),
    signedOff: z
      .object({
        at: z.iso.datetime(),
        operator: z.object({ id: z.string(), name: z.string() }),
        digest: z.string(),
        /** Whether the figures are others by now than those that were signed. */
        changedSinceSigned: z.boolean(),
      })
      .nullable(),
  })
  .meta({ id: 'MonthReport' });
const reportQuery = z.strictObject({ format: z.enum(['json', 'csv']).optional() });
const signOff = z
  .strictObject({ digest: z.string().regex(/^[0-9a-f]{64}$/, 'must be the digest of the report') })
  .meta({ id: 'MonthSignOff' });

const columns = ['month', 'network', 'wallet', 'asset', 'item', 'kind', 'count', 'debit', 'credit'] as const;

/** What a month came to, wallet by wallet. */
@ApiBearerAuth()
@Admin('months')
export class MonthReportController {
  constructor(
    private readonly changes: Changes,
    private readonly reports: MonthReportService,
    private readonly months: MonthService,
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Everything about the month's close on one paper, all of it of one moment. */
  @Get(':month/close-pack.pdf')
  @ApiOkResponse({ content: { 'application/pdf': { schema: { type: 'string', format: 'binary' } } } })
  async closePack(@Param('month') month: string): Promise<StreamableFile> {
    const period = parseMonth(month);
    const { months, reports } = this;
    const pack = await this.sql.transaction(async (tx) => {
      await tx.query({ text: 'set transaction isolation level repeatable read, read only' });
      return readClosePack(tx, period, { months, reports, now: this.now() });
    });
    const content = await renderClosePack(pack);
    return new StreamableFile(content, {
      type: 'application/pdf',
      disposition: `attachment; filename="keyfare-close-${formatMonth(period)}.pdf"`,
      length: content.length,
    });
  }

  /** As CSV by `.csv` or `?format=csv`. */
  @Get([':month/report', ':month/report.csv'])
  @ApiOkResponse({ standardSchema: reportView })
  async report(
    @Param('month') month: string,
    @Query({ schema: reportQuery }) { format }: z.infer<typeof reportQuery>,
    @Req() { url }: FastifyRequest,
  ): Promise<z.infer<typeof reportView> | StreamableFile> {
    const report = await this.reports.read(parseMonth(month));
    if (format !== 'csv' && !(url.split('?', 1)[0] ?? '').endsWith('.csv')) return viewReport(report);
    const rows = report.wallets.flatMap((wallet) => rowsOf(report.month, wallet));
    return csvOf(stringify(rows, csvFormat(columns)), `month-${report.month}`);
  }

  /** A person answers for the figures whose digest they name. */
  @Post(':month/sign-off')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: reportView })
  async signOff(
    @Req() request: FastifyRequest,
    @Param('month') month: string,
    @Body({ schema: signOff }) { digest }: z.infer<typeof signOff>,
  ): Promise<z.infer<typeof reportView>> {
    const period = parseMonth(month);
    return this.changes.make(request, 'month.sign-off', async (tx) => {
      const answer = viewReport(await this.reports.signOff(tx, period, { digest, by: operatorOf(request) }));
      return { subject: month, before: null, after: answer, answer };
    });
  }
}

function viewReport({ month, wallets, digest, signedOff }: SignedReport): z.infer<typeof reportView> {
  return {
    month,
    wallets: wallets.map((wallet) => ({ ...wallet, movements: [...wallet.movements] })),
    digest,
    signedOff: signedOff && {
      ...signedOff,
      at: signedOff.at.toISOString(),
      changedSinceSigned: signedOff.digest !== digest,
    },
  };
}

/** Amounts stand on the side that they are of, as in the trial balance: a sheet takes a minus for a formula. */
function rowsOf(month: string, wallet: WalletMonth): readonly Readonly<Record<(typeof columns)[number], Cell>>[] {
  const { network, wallet: address, asset } = wallet;
  const row = (item: string, amount: string, rest: { kind?: string; count?: string } = {}) => {
    const isCredit = amount.startsWith('-');
    return {
      month,
      network,
      wallet: address,
      asset,
      item,
      kind: rest.kind ?? null,
      count: rest.count ?? null,
      debit: isCredit ? null : amount,
      credit: isCredit ? amount.slice(1) : null,
    };
  };
  return [
    row('opening', wallet.opening),
    ...wallet.movements.map(({ amount, ...rest }) => row('movement', amount, rest)),
    row('closing', wallet.closing),
    row('unexplained', wallet.unexplained.amount, { count: wallet.unexplained.count }),
    row('carried-forward', wallet.carriedForward.amount, { count: wallet.carriedForward.count }),
  ];
}
