import { hash } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import type { SqlPool } from '@keyfare/db/sql';
import { Admin, idParam } from '@keyfare/gate/operators';
import { Get, Headers, Inject, Param, Res, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { renderEInvoice } from '../document/e-invoice.js';
import type { InvoiceDocument } from '../document/model.js';
import { renderPdf } from '../document/pdf.js';
import { InvoiceService } from '../invoice/invoice.service.js';
import { clock, reportPool } from '../tokens.js';
import { documentOf, readParties } from './invoice-document.js';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const file = { schema: { type: 'string', format: 'binary' } } as const;

/** An invoice as files. Their `ETag` is the SHA-256 of their bytes, which depend on the invoice alone. */
@ApiBearerAuth()
@Admin('invoices')
export class InvoiceDocumentController {
  constructor(
    private readonly invoices: InvoiceService,
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** For people. A draft says that it is one. */
  @Get(':id/pdf')
  @ApiOkResponse({ content: { 'application/pdf': file } })
  async pdf(
    @Param('id', idParam) id: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const document = await this.#read(id);
    const content = await renderPdf(document);
    return answer(reply, content, { known, type: 'application/pdf', name: `${nameOf(document, id)}.pdf` });
  }

  /** For programs: an electronic invoice after EN 16931. */
  @Get(':id/xml')
  @ApiOkResponse({ content: { 'application/xml': file } })
  async xml(
    @Param('id', idParam) id: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    const document = await this.#read(id);
    const content = Buffer.from(await renderEInvoice(document));
    return answer(reply, content, {
      known,
      type: 'application/xml; charset=utf-8',
      name: `${nameOf(document, id)}.xml`,
    });
  }

  async #read(id: string): Promise<InvoiceDocument> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    const invoice = await this.invoices.find(id);
    return documentOf(invoice, await readParties(this.sql, invoice.invoice), this.now());
  }
}

function nameOf({ number, kind }: InvoiceDocument, id: string): string {
  return `${kind}-${number ?? `draft-${id}`}`;
}

function answer(
  reply: FastifyReply,
  content: Buffer,
  { known, type, name }: { readonly known: string | undefined; readonly type: string; readonly name: string },
): StreamableFile | undefined {
  const tag = `"${hash('sha256', content, 'hex')}"`;
  void reply.header('etag', tag);
  const tags = known?.split(',').map((each) => each.trim().replace(/^W\//u, '')) ?? [];
  if (tags.includes(tag) || tags.includes('*')) {
    void reply.status(304);
    return undefined;
  }
  return new StreamableFile(content, { type, disposition: `attachment; filename="${name}"`, length: content.length });
}
