import { formatMoney, money, parseMoney } from '@keyfare/core/money';
import { isProblem, Problem } from '@keyfare/core/problem';
import { identifierText, noteText } from '@keyfare/core/text';
import { type Clock, parseMonth } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Admin, Changes, idParam, Needs, operatorOf, requireConfirmed, Sensitive } from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isOfMonth } from '../billing-periods.js';
import { formatCents } from '../invoice/cents.js';
import type { Invoice } from '../invoice/invoice-row.js';
import { invoiceView, viewInvoice } from '../invoice/invoice-view.js';
import { clock } from '../tokens.js';
import { type CreditNote, CreditNotes } from './credit-notes.js';
import { Finalizing } from './finalize.js';
import { InvoiceLife } from './invoice-life.js';

const finalizeRequest = z
  .strictObject({
    month: z.string().max(7),
    /** Says what would become of each draft, and changes nothing. */
    preview: z.boolean().default(true),
    /** The drafts of how many accounts at once. */
    limit: z.int().min(1).max(1_000).default(100),
    /** Goes on after this account: `next` of the answer before. */
    after: identifierText.optional(),
  })
  .meta({ id: 'InvoiceFinalizeRequest' });
const refusal = z.object({ code: z.string(), detail: z.string() });
const finalizeAnswer = z
  .object({
    month: z.string(),
    preview: z.boolean(),
    items: z.array(
      z.object({
        id: z.string(),
        account: z.string(),
        /** Null where it was refused, and in a preview. */
        number: z.string().nullable(),
        subtotal: z.string().nullable(),
        tax: z.string().nullable(),
        payable: z.string().nullable(),
        /** Why it stays a draft. */
        refusal: refusal.nullable(),
      }),
    ),
    /** Of those that are not refused. */
    payable: z.string(),
    refused: z.number(),
    next: z.string().nullable(),
  })
  .meta({ id: 'InvoiceFinalizeAnswer' });
type Run = z.infer<typeof finalizeRequest>;
type Item = z.infer<typeof finalizeAnswer>['items'][number];

const creditRequest = z
  .strictObject({
    reason: noteText,
    /** In dollars, by the number of the invoice's line, from 1. Without it all that is left of the invoice. */
    lines: z
      .array(z.strictObject({ line: z.int().min(1).max(100_000), amount: z.string().max(80) }))
      .min(1)
      .max(1_000)
      .refine((lines) => new Set(lines.map(({ line }) => line)).size === lines.length, {
        error: 'must name each line once',
      })
      .optional(),
  })
  .meta({ id: 'CreditNoteRequest' });
const creditView = z
  .object({
    id: z.string(),
    invoiceId: z.string(),
    number: z.string(),
    reason: z.string(),
    issuedAt: z.iso.datetime(),
    currency: z.literal('USD'),
    /** The sum of its lines, with six decimals. */
    amount: z.string(),
    subtotal: z.string(),
    tax: z.string(),
    total: z.string(),
    /** What of it was paid already and is the customer's credit now, with six decimals. */
    toCredit: z.string(),
    digest: z.string(),
    document: z.string(),
  })
  .meta({ id: 'CreditNote' });
const creditList = z.object({ items: z.array(creditView) }).meta({ id: 'CreditNoteList' });

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What becomes of drafts: they are made final, and then paid, credited, given up or voided. */
@ApiBearerAuth()
@Admin('invoices')
export class InvoiceLifeController {
  constructor(
    private readonly changes: Changes,
    private readonly sql: SqlPool,
    private readonly finalizing: Finalizing,
    private readonly life: InvoiceLife,
    private readonly notes: CreditNotes,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Makes the drafts of the periods that begin in a month final, each in a transaction of its own: what ended in
   * between goes on by asking again.
   */
  @Post('finalize')
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: finalizeAnswer })
  async finalize(
    @Req() request: FastifyRequest,
    @Body({ schema: finalizeRequest }) given: Run,
  ): Promise<z.infer<typeof finalizeAnswer>> {
    if (!given.preview) requireConfirmed(operatorOf(request));
    const known = await this.changes.answered<z.infer<typeof finalizeAnswer>>(request);
    if (known !== null) return known;
    const drafts = await this.sql.query<{ id: string; account: string }>({
      // An account may have two, where its periods changed: they are not torn apart.
      text: `
        with drafts as (
          select id, account, period_start from billing.invoice i
          where ${isOfMonth('i', '$1')} and state = 'draft' and ($2::text is null or account > $2))
        select id, account from drafts
        where account in (select distinct account from drafts order by account limit $3)
        order by account, period_start`,
      values: [parseMonth(given.month).start, given.after ?? null, given.limit + 1],
    });
    const accounts = [...new Set(drafts.map(({ account }) => account))];
    const page = new Set(accounts.slice(0, given.limit));
    const items: Item[] = [];
    let payable = 0n;
    for (const draft of drafts.filter(({ account }) => page.has(account))) {
      const { item, cents } = await this.#one(request, draft, given.preview);
      items.push(item);
      payable += cents;
    }
    const answer = {
      month: given.month,
      preview: given.preview,
      items,
      payable: formatCents(payable),
      refused: items.filter((item) => item.refusal !== null).length,
      next: accounts.length > page.size ? (items.at(-1)?.account ?? null) : null,
    };
    // Each invoice has its line in the audit log already.
    return this.changes.make(request, 'invoice.finalize', async () => {
      return { subject: given.month, before: null, after: null, answer, parts: [] };
    });
  }

  /** Another operator may then make the draft final as it is now, though it is over the limit. */
  @Post(':id/approve')
  @Sensitive()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: invoiceView })
  async approve(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
  ): Promise<z.infer<typeof invoiceView>> {
    return this.#change(request, id, {
      action: 'invoice.approve',
      work: (tx, found) => this.life.approve(tx, found, operatorOf(request).id),
    });
  }

  /** Takes back an invoice that nothing was paid of; its month is drawn up again. */
  @Post(':id/void')
  @Sensitive()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: invoiceView })
  async void(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof invoiceView>> {
    return this.#change(request, id, { action: 'invoice.void', work: (tx, found) => this.life.void(tx, found) });
  }

  /** What is still to be paid is given up. */
  @Post(':id/uncollectible')
  @Sensitive()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: invoiceView })
  async giveUp(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof invoiceView>> {
    return this.#change(request, id, {
      action: 'invoice.uncollectible',
      work: (tx, found) => this.life.giveUp(tx, found),
    });
  }

  /** Takes back parts of lines, or all that is left. */
  @Post(':id/credit-notes')
  @Sensitive()
  @Needs('money')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: creditView })
  async credit(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: creditRequest }) { reason, lines }: z.infer<typeof creditRequest>,
  ): Promise<z.infer<typeof creditView>> {
    requireId(id);
    const credited = lines?.map(({ line, amount }) => ({ line, amount: parseMoney('USD', amount).atomic })) ?? null;
    if (credited?.some(({ amount }) => amount <= 0n) === true) {
      throw new Problem('request/invalid', 'An amount of a credit note is more than zero.');
    }
    return this.changes.make(request, 'invoice.credit', async (tx) => {
      const found = await this.life.lock(tx, id);
      const answer = viewNote(await this.notes.add(tx, found, { reason, credited }));
      return { subject: id, before: null, after: answer, answer };
    });
  }

  /** The oldest first. */
  @Get(':id/credit-notes')
  @ApiOkResponse({ standardSchema: creditList })
  async credits(@Param('id', idParam) id: string): Promise<z.infer<typeof creditList>> {
    requireId(id);
    return { items: (await this.notes.of(id)).map(viewNote) };
  }

  /** One draft of a run. A refusal is part of the answer; the next one goes on. */
  async #one(
    request: FastifyRequest,
    { id, account }: { readonly id: string; readonly account: string },
    preview: boolean,
  ): Promise<{ readonly item: Item; readonly cents: bigint }> {
    const by = operatorOf(request).id;
    try {
      return await this.sql.transaction(async (tx) => {
        if (preview) {
          const { subtotalCents, taxCents, payableCents } = await this.finalizing.assess(tx, id, by);
          return {
            item: itemOf({ id, account, number: null, subtotalCents, taxCents, payableCents }),
            cents: payableCents,
          };
        }
        const made = await this.finalizing.finalize(tx, id, by);
        const after = viewInvoice(made, this.now());
        await this.changes.note(tx, request, {
          action: 'invoice.finalize',
          parts: [{ subject: id, before: null, after }],
        });
        return { item: itemOf(made.invoice), cents: made.invoice.payableCents };
      });
    } catch (error) {
      if (!isProblem(error) || !error.code.startsWith('invoice/')) throw error;
      const { code, detail } = error;
      const nothing = { number: null, subtotal: null, tax: null, payable: null };
      return { item: { id, account, ...nothing, refusal: { code, detail: detail ?? '' } }, cents: 0n };
    }
  }

  async #change(
    request: FastifyRequest,
    id: string,
    { action, work }: { action: string; work: (tx: Sql, found: Invoice) => Promise<Invoice> },
  ): Promise<z.infer<typeof invoiceView>> {
    requireId(id);
    return this.changes.make(request, action, async (tx) => {
      const found = await this.life.lock(tx, id);
      const before = viewInvoice(found, this.now());
      const after = viewInvoice(await work(tx, found), this.now());
      return { subject: id, before, after, answer: after };
    });
  }
}

function requireId(id: string): void {
  if (!uuid.test(id)) throw new Problem('invoice/not-found');
}

function itemOf({
  id,
  account,
  number,
  subtotalCents,
  taxCents,
  payableCents,
}: Pick<Invoice['invoice'], 'id' | 'account' | 'number' | 'subtotalCents' | 'taxCents' | 'payableCents'>): Item {
  return {
    id,
    account,
    number,
    subtotal: formatCents(subtotalCents ?? 0n),
    tax: formatCents(taxCents ?? 0n),
    payable: formatCents(payableCents),
    refusal: null,
  };
}

function viewNote(note: CreditNote): z.infer<typeof creditView> {
  return {
    id: note.id,
    invoiceId: note.invoiceId,
    number: note.number,
    reason: note.reason,
    issuedAt: note.issuedAt.toISOString(),
    currency: 'USD',
    amount: formatMoney(money('USD', note.amount)),
    subtotal: formatCents(note.subtotalCents),
    tax: formatCents(note.taxCents),
    total: formatCents(note.totalCents),
    toCredit: formatMoney(money('USD', note.toCredit)),
    digest: note.digest.toString('hex'),
    document: note.document,
  };
}
