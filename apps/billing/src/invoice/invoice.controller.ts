import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import { type Clock, parseMonth } from '@keyfare/core/time';
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
import { clock } from '../tokens.js';
import { invoiceStates } from './invoice.entity.js';
import { InvoiceService } from './invoice.service.js';
import { invoicePayments, invoiceSummary, invoiceView, viewInvoice, viewPayment, viewSummary } from './invoice-view.js';

const draftRequest = z
  .strictObject({ account: identifierText, month: z.string().max(7) })
  .meta({ id: 'InvoiceDraftRequest' });
const invoicePage = pageOf(invoiceSummary).meta({ id: 'InvoicePage' });
const invoiceQuery = z.strictObject({
  ...pageQuery,
  account: identifierText.optional(),
  month: z.string().max(7).optional(),
  state: z.enum(invoiceStates).optional(),
});

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What customers owe, by month. */
@ApiBearerAuth()
@Admin('invoices')
export class InvoiceController {
  constructor(
    private readonly changes: Changes,
    private readonly invoices: InvoiceService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Draws up the draft of a month, or draws it up again. Asking twice changes nothing. */
  @Post()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: invoiceView })
  async draft(
    @Req() request: FastifyRequest,
    @Body({ schema: draftRequest }) { account, month }: z.infer<typeof draftRequest>,
  ): Promise<z.infer<typeof invoiceView>> {
    const period = parseMonth(month);
    return this.changes.make(request, 'invoice.draft', async (tx) => {
      const drawn = await this.invoices.drawUp(tx, account, period);
      const now = this.now();
      const after = viewInvoice(drawn.after, now);
      return { subject: after.id, before: drawn.before && viewInvoice(drawn.before, now), after, answer: after };
    });
  }

  /** The newest month first. */
  @Get()
  @ApiOkResponse({ standardSchema: invoicePage })
  async list(
    @Query({ schema: invoiceQuery }) query: z.infer<typeof invoiceQuery>,
  ): Promise<z.infer<typeof invoicePage>> {
    const { account, month, state, limit, cursor } = query;
    const now = this.now();
    const filters = { account, periodStart: month === undefined ? undefined : parseMonth(month).start, state };
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
