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
import { CreditNotes } from '../pipeline/credit-notes.js';
import { clock, reportPool } from '../tokens.js';
import { readCreditNote, readDocument } from './invoice-document.js';

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const file = { schema: { type: 'string', format: 'binary' } } as const;

/** An invoice as files. Their `ETag` is the SHA-256 of their bytes, which depend on the invoice alone. */
@ApiBearerAuth()
@Admin('invoices')
export class InvoiceDocumentController {
  constructor(
    private readonly invoices: InvoiceService,
    private readonly notes: CreditNotes,
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
    return answerPdf(reply, await this.#read(id), { id, known });
  }

  /** For programs: an electronic invoice after EN 16931. */
  @Get(':id/xml')
  @ApiOkResponse({ content: { 'application/xml': file } })
  async xml(
    @Param('id', idParam) id: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerXml(reply, await this.#read(id), { id, known });
  }

  @Get(':id/credit-notes/:note/pdf')
  @ApiOkResponse({ content: { 'application/pdf': file } })
  async creditPdf(
    @Param('id', idParam) id: string,
    @Param('note', idParam) note: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerPdf(reply, await this.#readNote(id, note), { id, known });
  }

  @Get(':id/credit-notes/:note/xml')
  @ApiOkResponse({ content: { 'application/xml': file } })
  async creditXml(
    @Param('id', idParam) id: string,
    @Param('note', idParam) note: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile | undefined> {
    return answerXml(reply, await this.#readNote(id, note), { id, known });
  }

  async #read(id: string): Promise<InvoiceDocument> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    return readDocument(this.sql, await this.invoices.find(id), this.now());
  }

  async #readNote(id: string, noteId: string): Promise<InvoiceDocument> {
    if (!uuid.test(id)) throw new Problem('invoice/not-found');
    const note = (await this.notes.of(id)).find((each) => each.id === noteId);
    if (note === undefined) throw new Problem('invoice/not-found', 'The invoice has no such credit note.');
    return readCreditNote(this.sql, await this.invoices.find(id), note);
  }
}

interface Asked {
  readonly id: string;
  /** The tags of what the caller has. */
  readonly known: string | undefined;
}

export async function answerPdf(
  reply: FastifyReply,
  document: InvoiceDocument,
  { id, known }: Asked,
): Promise<StreamableFile | undefined> {
  const name = `${nameOf(document, id)}.pdf`;
  // Shown beside the numbers by the console, and by no page of another origin.
  void reply.headers({ 'content-security-policy': "frame-ancestors 'self'", 'x-frame-options': 'SAMEORIGIN' });
  return answer(reply, await renderPdf(document), { known, type: 'application/pdf', name, kind: 'inline' });
}

async function answerXml(reply: FastifyReply, document: InvoiceDocument, { id, known }: Asked) {
  const name = `${nameOf(document, id)}.xml`;
  const content = Buffer.from(await renderEInvoice(document));
  return answer(reply, content, {
    known,
    type: 'application/xml; charset=utf-8',
    name,
    kind: 'attachment',
  });
}

function nameOf({ number, kind }: InvoiceDocument, id: string): string {
  return `${kind}-${number?.replaceAll('/', '-') ?? `draft-${id}`}`;
}

function answer(
  reply: FastifyReply,
  content: Buffer,
  {
    known,
    type,
    name,
    kind,
  }: {
    readonly known: string | undefined;
    readonly type: string;
    readonly name: string;
    readonly kind: 'inline' | 'attachment';
  },
): StreamableFile | undefined {
  const tag = `"${hash('sha256', content, 'hex')}"`;
  void reply.headers({ etag: tag, 'x-content-type-options': 'nosniff' });
  const tags = known?.split(',').map((each) => each.trim().replace(/^W\//u, '')) ?? [];
  if (tags.includes(tag) || tags.includes('*')) {
    void reply.status(304);
    return undefined;
  }
  return new StreamableFile(content, { type, disposition: `${kind}; filename="${name}"`, length: content.length });
}
