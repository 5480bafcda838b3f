import { formatMoney, money } from '@keyfare/core/money';
import { identifierText, noteText } from '@keyfare/core/text';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  readCursor,
  Sensitive,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type BankPayment, BankPayments, type PaymentMatch, paymentStates } from '../receivable/bank-payments.js';
import { Proposals } from '../receivable/proposals.js';
import { type Proposal, proposalReasons } from '../receivable/propose.js';
import { BankMatches } from './bank-matches.js';
import { amountText, optionalAmount } from './dollars.js';

const view = z
  .object({
    id: z.string(),
    bankAccount: z.string(),
    bookedOn: z.string(),
    amount: z.string(),
    currency: z.string(),
    payer: z.string(),
    reference: z.string(),
    /** How much of it is matched. */
    matched: z.string(),
    state: z.enum(paymentStates),
    importedBy: z.string(),
    importedAt: z.iso.datetime(),
  })
  .meta({ id: 'BankPayment' });
const page = pageOf(view).meta({ id: 'BankPaymentPage' });
const query = z.strictObject({
  ...pageQuery,
  state: z.enum(paymentStates).optional(),
  bankAccount: z.uuid().optional(),
});
// PostgreSQL has no year 0.
const day = z.iso.date().regex(/^(?!0000)/);

const matchRequest = z
  .strictObject({ invoice: z.uuid(), amount: amountText.optional() })
  .meta({ id: 'BankPaymentMatch' });
const creditRequest = z
  .strictObject({ customer: identifierText, amount: amountText.optional() })
  .meta({ id: 'BankPaymentCredit' });

const unmatchRequest = z.strictObject({ match: z.uuid(), why: noteText }).meta({ id: 'BankPaymentUnmatch' });
const matchList = z
  .object({
    items: z.array(
      z.object({
        id: z.string(),
        invoice: z.string(),
        number: z.string(),
        amount: z.string(),
        state: z.enum(['final', 'undone']),
        /** What found it: `invoice-number`, or `operator`. */
        rule: z.string(),
        matchedBy: z.string().nullable(),
        matchedAt: z.iso.datetime(),
        undoneBy: z.string().nullable(),
        undoneAt: z.iso.datetime().nullable(),
        why: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'BankPaymentMatchList' });
const proposalView = z.object({
  customer: z.string(),
  customerName: z.string(),
  invoices: z.array(z.object({ invoice: z.string(), number: z.string(), amount: z.string() })),
  /** From 0 to 99. */
  confidence: z.number(),
  reasons: z.array(z.enum(proposalReasons)),
});
const proposalList = z.object({ items: z.array(proposalView) }).meta({ id: 'BankPaymentProposalList' });
const proposalPage = pageOf(z.object({ payment: view, proposals: z.array(proposalView) })).meta({
  id: 'BankPaymentProposalPage',
});
const plainQuery = z.strictObject(pageQuery);

/** Payments of the bank statements. */
@ApiBearerAuth()
@Admin('bank-payments')
export class BankPaymentController {
  constructor(
    private readonly changes: Changes,
    private readonly payments: BankPayments,
    private readonly matches: BankMatches,
    private readonly proposals: Proposals,
  ) {}

  /** By the day on which they were booked. */
  @Get()
  @ApiOkResponse({ standardSchema: page })
  async list(
    @Query({ schema: query }) { cursor, limit, state, bankAccount: bankAccountId }: z.infer<typeof query>,
  ): Promise<z.infer<typeof page>> {
    const after = readCursor('bank-payments', cursor, [day, z.uuid()]);
    return toPage(await this.payments.list({ state, bankAccountId, after, limit }), {
      list: 'bank-payments',
      limit,
      position: ({ bookedOn, id }) => [bookedOn, id],
      view: viewOf,
    });
  }

  /** The payments of which something is open, each with the invoices that it may be of. */
  @Get('proposals')
  @ApiOkResponse({ standardSchema: proposalPage })
  async propose(
    @Query({ schema: plainQuery }) { cursor, limit }: z.infer<typeof plainQuery>,
  ): Promise<z.infer<typeof proposalPage>> {
    const after = readCursor('bank-proposals', cursor, [day, z.uuid()]);
    const payments = await this.payments.list({ state: 'open', bankAccountId: undefined, after, limit });
    const proposed = await this.proposals.of(payments);
    const rows = payments.map((payment, index) => ({ payment, proposals: proposed[index] ?? [] }));
    return toPage(rows, {
      list: 'bank-proposals',
      limit,
      position: ({ payment: { bookedOn, id } }) => [bookedOn, id],
      view: ({ payment, proposals }) => ({ payment: viewOf(payment), proposals: proposals.map(viewProposal) }),
    });
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: view })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof view>> {
    return viewOf(await this.payments.find(id));
  }

  /** The invoices that it may be of, the likeliest first; none is matched. */
  @Get(':id/proposals')
  @ApiOkResponse({ standardSchema: proposalList })
  async proposalsOf(@Param('id', idParam) id: string): Promise<z.infer<typeof proposalList>> {
    const [proposals = []] = await this.proposals.of([await this.payments.find(id)]);
    return { items: proposals.map(viewProposal) };
  }

  /** The invoices that it pays, and those that it paid by a match that was undone; the oldest first. */
  @Get(':id/matches')
  @ApiOkResponse({ standardSchema: matchList })
  async matchesOf(@Param('id', idParam) id: string): Promise<z.infer<typeof matchList>> {
    const { id: payment } = await this.payments.find(id);
    return { items: (await this.payments.matchesOf(payment)).map(viewMatch) };
  }

  /** Takes back one of its matches: the invoice is to be paid again. */
  @Post(':id/unmatch')
  @HttpCode(200)
  @Sensitive()
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async unmatch(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: unmatchRequest }) { match, why }: z.infer<typeof unmatchRequest>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-payment.unmatch', async (tx) => {
      const before = viewOf(await this.payments.find(id, tx));
      const after = viewOf(await this.matches.unmatch(tx, id, { match, why, by: operatorOf(asked).name }));
      return { subject: id, before, after: { ...after, match, why }, answer: after };
    });
  }

  /** Says which invoice it pays; without an amount as much of it as both have left. */
  @Post(':id/match')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async match(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: matchRequest }) { invoice, amount }: z.infer<typeof matchRequest>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-payment.match', async (tx) => {
      const before = viewOf(await this.payments.find(id, tx));
      const wanted = { invoice, amount: optionalAmount(amount), by: operatorOf(asked).name };
      const after = viewOf(await this.matches.match(tx, id, wanted));
      return { subject: id, before, after: { ...after, invoice }, answer: after };
    });
  }

  /** Makes what is left of it, or a part of that, the credit of a customer. */
  @Post(':id/credit')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: view })
  async credit(
    @Req() asked: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: creditRequest }) { customer, amount }: z.infer<typeof creditRequest>,
  ): Promise<z.infer<typeof view>> {
    return this.changes.make(asked, 'bank-payment.credit', async (tx) => {
      const before = viewOf(await this.payments.find(id, tx));
      const wanted = { customer, amount: optionalAmount(amount), by: operatorOf(asked).name };
      const after = viewOf(await this.matches.credit(tx, id, wanted));
      return { subject: id, before, after: { ...after, customer }, answer: after };
    });
  }
}

function viewOf({ bankAccountId, amount, matched, importedAt, ...payment }: BankPayment): z.infer<typeof view> {
  return {
    ...payment,
    bankAccount: bankAccountId,
    amount: dollars(amount),
    matched: dollars(matched),
    state: amount <= 0n ? 'out' : matched < amount ? 'open' : 'matched',
    importedAt: importedAt.toISOString(),
  };
}

function viewMatch({ invoiceId, amount, matchedAt, undoneAt, ...match }: PaymentMatch) {
  return {
    ...match,
    invoice: invoiceId,
    amount: dollars(amount),
    matchedAt: matchedAt.toISOString(),
    undoneAt: undoneAt?.toISOString() ?? null,
  };
}

function viewProposal({ customerId, customerName, invoices, confidence, reasons }: Proposal) {
  return {
    customer: customerId,
    customerName,
    invoices: invoices.map(({ id, number, amount }) => ({ invoice: id, number, amount: dollars(amount) })),
    confidence,
    reasons: [...reasons],
  };
}

function dollars(amount: bigint): string {
  return formatMoney(money('USD', amount));
}
