import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import { type Clock, type Period, parseMonth } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readPeriodsOfMonth } from '../billing-periods.js';
import { clock } from '../tokens.js';
import { invoiceStates } from './invoice.entity.js';
import { InvoiceService } from './invoice.service.js';
import { invoicePayments, invoiceSummary, invoiceView, viewInvoice, viewPayment, viewSummary } from './invoice-view.js';

const draftRequest = z
  .strictObject({
    account: identifierText,
    /** The period that begins in it, by the days of the account's time zone. */
    month: z.string().max(7).optional(),
    /** The period that this time lies in. */
    at: z.iso.datetime().optional(),
  })
  .refine(({ month, at }) => (month === undefined) !== (at === undefined), { error: 'needs month or at' })
  .meta({ id: 'InvoiceDraftRequest' });
const invoicePage = pageOf(invoiceSummary).meta({ id: 'InvoicePage' });
const invoiceQuery = z.strictObject({
  ...pageQuery,
  account: identifierText.optional(),
  month: z.string().max(7).optional(),
  state: z.enum(invoiceStates).optional(),
});

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The start of the account's period that begins in a month. 409 `invoice/conflict` where two do: `at` tells them apart.
 */
async function onlyPeriod(tx: Sql, account: string, month: Period): Promise<Date> {
  const [period, other] = await readPeriodsOfMonth(tx, account, month);
  if (period === undefined || other !== undefined) {
    const starts = [period, other].flatMap((each) => (each === undefined ? [] : [each.start.toISOString()]));
    throw new Problem('invoice/conflict', `Periods begin at ${starts.join(' and ')}: name one of them with at.`);
  }
  return period.start;
}

/** What customers owe, by month. */
@ApiBearerAuth()
@Admin('invoices')
export class InvoiceController {
  constructor(
    private readonly changes: Changes,
    private readonly invoices: InvoiceService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Draws up the draft of a period, or draws it up again. Asking twice changes nothing. */
  @Post()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: invoiceView })
  async draft(
    @Req() request: FastifyRequest,
    @Body({ schema: draftRequest }) { account, month, at }: z.infer<typeof draftRequest>,
  ): Promise<z.infer<typeof invoiceView>> {
    const period = month === undefined ? null : parseMonth(month);
    return this.changes.make(request, 'invoice.draft', async (tx) => {
      const time = period === null ? new Date(at ?? '') : await onlyPeriod(tx, account, period);
      const drawn = await this.invoices.drawUp(tx, account, time);
      const now = this.now();
      const after = viewInvoice(drawn.after, now);
      return { subject: after.id, before: drawn.before && viewInvoice(drawn.before, now), after, answer: after };
    });
  }

  /** The newest period first. `month`: those that begin in it, by the days of their time zone. */
  @Get()
  @ApiOkResponse({ standardSchema: invoicePage })
  async list(
    @Query({ schema: invoiceQuery }) query: z.infer<typeof invoiceQuery>,
  ): Promise<z.infer<typeof invoicePage>> {
    const { account, month, state, limit, cursor } = query;
    const now = this.now();
    const filters = { account, month: month === undefined ? undefined : parseMonth(month).start, state };
    const position = readCursor('invoices', cursor, [positions.time, positions.id, z.uuid()]);
    const [periodStart = '', lastAccount = '', id = ''] = position ?? [];
    const after = position === null ? null : { periodStart, account: lastAccount, id };
    return toPage(await this.invoices.list({ ...filters, after, limit }), {
      list: 'invoices',
      limit,
      position: (invoice) => [invoice.periodStart.toISOString(), invoice.account, invoice.id],
      view: (invoice) => viewSummary(invoice, now),
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: invoiceView })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof invoiceView>> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    return viewInvoice(await this.invoices.find(id), this.now());
  }

  /** What was paid of it and from where, the oldest first. */
  @Get(':id/payments')
  @ApiOkResponse({ standardSchema: invoicePayments })
  async payments(@Param('id', idParam) id: string): Promise<z.infer<typeof invoicePayments>> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    return { items: (await this.invoices.payments(id)).map(viewPayment) };
  }
}
