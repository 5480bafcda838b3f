import { formatMoney, money } from '@keyfare/core/money';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { renderLetter } from '../document/letter.js';
import { reminderLanguages } from '../receivable/reminder-text.js';
import { type Reminder, Reminders } from '../receivable/reminders.js';
import { awaitBooks } from '../turns.js';

const view = z
  .object({
    id: z.string(),
    customer: z.string(),
    customerName: z.string(),
    seller: z.string(),
    /** From 1: how often it was reminded of, at most. */
    level: z.number(),
    language: z.enum(reminderLanguages),
    total: z.string(),
    subject: z.string(),
    body: z.string(),
    madeBy: z.string(),
    madeAt: z.iso.datetime(),
    invoices: z.array(
      z.object({
        id: z.string(),
        number: z.string(),
        level: z.number(),
        dueOn: z.string(),
        outstanding: z.string(),
      }),
    ),
  })
  .meta({ id: 'Reminder' });
const page = pageOf(view).meta({ id: 'ReminderPage' });
const query = z.strictObject({ ...pageQuery, customer: z.uuid().optional() });
const request = z
  .strictObject({
    /** Says what would be written, and writes nothing. */
    preview: z.boolean().default(true),
    /** How many letters at once. */
    limit: z.int().min(1).max(500).default(100),
    customer: z.uuid().optional(),
  })
  .meta({ id: 'ReminderRunRequest' });
const answer = z
  .object({
    preview: z.boolean(),
    /** Of a preview, under ids that nothing has. */
    items: z.array(view),
    total: z.string(),
    /** How many letters are due beside these: asking again goes on with them. */
    remaining: z.number(),
  })
  .meta({ id: 'ReminderRunAnswer' });
const file = { schema: { type: 'string', format: 'binary' } } as const;

/** Letters to customers about what is overdue. Nothing is sent from here. */
@ApiBearerAuth()
@Admin('reminders')
export class ReminderController {
  constructor(
    private readonly changes: Changes,
    private readonly reminders: Reminders,
  ) {}

  /** Writes the letters that are due, each level of an invoice once. */
  @Post('run')
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: answer })
  async run(
    @Req() asked: FastifyRequest,
    @Body({ schema: request }) { preview, limit, customer }: z.infer<typeof request>,
  ): Promise<z.infer<typeof answer>> {
    return this.changes.make(asked, 'reminder.create', async (tx) => {
      // Of two runs the second sees what the first has written, and no payment is applied meanwhile.
      await awaitBooks(tx);
      const of = { ...(customer !== undefined && { customer }), by: operatorOf(asked).name };
      const due = await this.reminders.due(tx, of);
      const letters = due.slice(0, limit);
      if (!preview) for (const letter of letters) await this.reminders.add(tx, letter);
      const items = letters.map(viewOf);
      const total = dollars(letters.reduce((sum, letter) => sum + letter.total, 0n));
      const said = { preview, items, total, remaining: due.length - letters.length };
      const parts = preview ? [] : items.map((after) => ({ subject: after.id, before: null, after }));
      return { subject: 'reminders', before: null, after: null, answer: said, parts };
    });
  }

  /** In the order in which they were written. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(
    @Query({ schema: query }) { cursor, limit, customer }: z.infer<typeof query>,
  ): Promise<z.infer<typeof page>> {
    const after = readCursor('reminders', cursor, [positions.time, z.uuid()]);
    return toPage(await this.reminders.list({ customer, after, limit }), {
      list: 'reminders',
      limit,
      position: ({ madeAt, id }) => [madeAt.toISOString(), id],
      view: viewOf,
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(await this.reminders.find(id));
  }

  /** The letter as text. */
  @Get(':id/text')
  @ApiOkResponse({ content: { 'text/plain': file } })
  async text(@Param('id', idParam) id: string): Promise<StreamableFile> {
    const letter = await this.reminders.find(id);
    const type = 'text/plain; charset=utf-8';
    return fileOf(letter, Buffer.from(letter.body), { type, extension: 'txt' });
  }

  /** The letter on paper. The same letter has the same bytes. */
  @Get(':id/pdf')
  @ApiOkResponse({ content: { 'application/pdf': file } })
  async pdf(@Param('id', idParam) id: string): Promise<StreamableFile> {
    const letter = await this.reminders.find(id);
    const { subject: title, body, madeAt: at } = letter;
    const content = await renderLetter({ title, text: body, at });
    return fileOf(letter, content, { type: 'application/pdf', extension: 'pdf' });
  }
}

function fileOf(
  { id, level }: Reminder,
  content: Buffer,
  { type, extension }: { readonly type: string; readonly extension: string },
): StreamableFile {
  const disposition = `attachment; filename="reminder-${level}-${id}.${extension}"`;
  return new StreamableFile(content, { type, disposition, length: content.length });
}

function viewOf(letter: Reminder): z.infer<typeof view> {
  const { customerId, sellerId, total, madeAt, invoices, ...rest } = letter;
  return {
    ...rest,
    customer: customerId,
    seller: sellerId,
    total: dollars(total),
    madeAt: madeAt.toISOString(),
    invoices: invoices.map(({ outstanding, ...invoice }) =>
      Object.assign(invoice, { outstanding: dollars(outstanding) }),
    ),
  };
}

function dollars(amount: bigint): string {
  return formatMoney(money('USD', amount));
}
