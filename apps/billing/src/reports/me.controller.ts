import { formatMoney, money } from '@keyfare/core/money';
import { Problem } from '@keyfare/core/problem';
import { type Clock, formatMonth, monthOf, parseMonth } from '@keyfare/core/time';
import type { SqlPool } from '@keyfare/db/sql';
import {
  csrfOf,
  idParam,
  OperatorDoor,
  type Page,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Get, Headers, Inject, Param, Query, Req, Res, type StreamableFile, UseGuards } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CustomerGuard, customerOf } from '../console/customer.guard.js';
import { InvoiceService } from '../invoice/invoice.service.js';
import { invoiceSummary, viewSummary } from '../invoice/invoice-view.js';
import { clock, reportPool } from '../tokens.js';
import { streamCsv } from './csv.js';
import { statementRow, statementTable } from './customer-statement.js';
import { csvOf } from './files.js';
import { answerPdf } from './invoice-document.controller.js';
import { readDocument } from './invoice-document.js';
import { ownReceipt, readOwn, readProvider, readReceipts, viewReceipt } from './own.js';
import { isRange, isWithinAYear, rangeMessage, rangeOf, rangeQuery, yearMessage } from './range.js';
import { ReportService } from './report.service.js';
import { accountUsageRow, accountUsageTable, focusTable } from './usage.js';

const daysQuery = z.strictObject({ ...pageQuery, ...rangeQuery }).refine(isRange, rangeMessage);
const usageQuery = daysQuery.refine(isWithinAYear, yearMessage);
const listQuery = z.strictObject(pageQuery);
const monthQuery = z.strictObject({ month: z.string().max(7).optional() });
const usdOrNull = z.string().nullable();

const meView = z
  .object({
    account: z.object({ id: z.string(), name: z.string().nullable() }),
    csrf: z.string(),
    expiresAt: z.iso.datetime(),
    plan: z
      .object({
        slug: z.string(),
        version: z.string(),
        includedUnits: z.string(),
        overage: z.enum(['reject', 'invoice', 'x402']),
        overagePrice: z.string(),
        monthlyPrice: z.string(),
      })
      .nullable()
      .meta({ description: 'As of now; null before the first terms.' }),
    month: z.object({ month: z.string(), units: z.string(), amount: usdOrNull }),
  })
  .meta({ id: 'Me' });
const ownInvoicePage = pageOf(invoiceSummary).meta({ id: 'OwnInvoicePage' });
const ownReceiptPage = pageOf(ownReceipt).meta({ id: 'OwnReceiptPage' });
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What customers see of themselves, who have signed in with a key: their own account, and nobody else's. */
@OperatorDoor('me')
@UseGuards(CustomerGuard)
export class MeController {
  constructor(
    private readonly reports: ReportService,
    private readonly invoices: InvoiceService,
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The account, its plan, and what the running month has come to. */
  @Get()
  @ApiOkResponse({ standardSchema: meView })
  async read(@Req() request: FastifyRequest): Promise<z.infer<typeof meView>> {
    const { account, token, expiresAt } = customerOf(request);
    const month = monthOf(this.now());
    const { plan, units, amount } = await readOwn(this.sql, account, { start: month.start, now: this.now() });
    return {
      account: { id: account, name: plan?.account_name ?? null },
      csrf: csrfOf(token),
      expiresAt: expiresAt.toISOString(),
      plan:
        plan === undefined
          ? null
          : {
              slug: plan.plan_slug,
              version: plan.plan_version,
              includedUnits: plan.included_units,
              overage: plan.overage,
              overagePrice: formatMoney(money('USD', BigInt(plan.overage_price))),
              monthlyPrice: formatMoney(money('USD', BigInt(plan.monthly_price))),
            },
      month: { month: formatMonth(month), units, amount: formatMoney(money('USD', BigInt(amount))) },
    };
  }

  /** By day and product. */
  @Get('usage')
  @ApiOkResponse({ standardSchema: pageOf(accountUsageRow) })
  async usage(
    @Req() request: FastifyRequest,
    @Query({ schema: usageQuery }) query: z.infer<typeof usageQuery>,
  ): Promise<Page<z.infer<typeof accountUsageRow>>> {
    const table = accountUsageTable(customerOf(request).account, rangeOf(query, this.now()));
    return this.reports.read(table, { limit: query.limit, cursor: query.cursor });
  }

  /**
   * What the account used in a month, in the columns of FOCUS 1.2, from who invoices it; where nobody has agreed to yet,
   * from the host that was asked.
   */
  @Get('exports/focus')
  @ApiOkResponse({ content: { 'text/csv': { schema: { type: 'string' } } } })
  async focus(
    @Req() request: FastifyRequest,
    @Query({ schema: monthQuery }) { month }: z.infer<typeof monthQuery>,
  ): Promise<StreamableFile> {
    const { account } = customerOf(request);
    const provider = (await readProvider(this.sql, account)) ?? request.hostname;
    const period = month === undefined ? monthOf(this.now()) : parseMonth(month);
    const table = focusTable(account, { period, provider, isIssued: true });
    return csvOf(await streamCsv(this.sql, table), table.name);
  }

  /** What the account's invoices, payments and credit notes came to. */
  @Get('statement')
  @ApiOkResponse({ standardSchema: pageOf(statementRow) })
  async statement(
    @Req() request: FastifyRequest,
    @Query({ schema: daysQuery }) query: z.infer<typeof daysQuery>,
  ): Promise<Page<z.infer<typeof statementRow>>> {
    const table = statementTable({ account: customerOf(request).account }, rangeOf(query, this.now()));
    return this.reports.read(table, { limit: query.limit, cursor: query.cursor });
  }

  /** Those that are final, the newest month first. */
  @Get('invoices')
  @ApiOkResponse({ standardSchema: ownInvoicePage })
  async ownInvoices(
    @Req() request: FastifyRequest,
    @Query({ schema: listQuery }) { limit, cursor }: z.infer<typeof listQuery>,
  ): Promise<z.infer<typeof ownInvoicePage>> {
    const { account } = customerOf(request);
    const now = this.now();
    const [periodStart = '', id = ''] = readCursor('own-invoices', cursor, [positions.time, z.uuid()]) ?? [];
    const after = periodStart === '' ? null : { periodStart, account, id };
    return toPage(await this.invoices.list({ account, isIssued: true, after, limit }), {
      list: 'own-invoices',
      limit,
      position: (invoice) => [invoice.periodStart.toISOString(), invoice.id],
      view: (invoice) => viewSummary(invoice, now),
    });
  }

  /** 404 `invoice/not-found` for another account's, as for one that is none, and for a draft. */
  @Get('invoices/:id/pdf')
  @ApiOkResponse({ content: { 'application/pdf': { schema: { type: 'string', format: 'binary' } } } })
  async pdf(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    const found = await this.invoices.find(id);
    const { account, state } = found.invoice;
    if (account !== customerOf(request).account || state === 'draft') throw new Problem('invoice/not-found');
    return answerPdf(reply, await readDocument(this.sql, found, this.now()), { id, known });
  }

  /** Receipts of calls by key as they were signed, the newest first. */
  @Get('receipts')
  @ApiOkResponse({ standardSchema: ownReceiptPage })
  async receipts(
    @Req() request: FastifyRequest,
    @Query({ schema: listQuery }) { limit, cursor }: z.infer<typeof listQuery>,
  ): Promise<z.infer<typeof ownReceiptPage>> {
    const [month = '', place = ''] = readCursor('own-receipts', cursor, [positions.time, positions.count]) ?? [];
    const after = month === '' ? null : { month, place };
    return toPage(await readReceipts(this.sql, customerOf(request).account, { after, limit }), {
      list: 'own-receipts',
      limit,
      position: (row) => [row.period_start.toISOString(), row.place],
      view: viewReceipt,
    });
  }
}
